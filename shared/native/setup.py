"""The extension module, built from all files of `src`."""  # noqa: INP001

import pathlib
import sys

from setuptools import Extension, setup

SOURCES = pathlib.Path("src")
LEAST_PYTHON = "0x030B0000"
"""The version of Python whose limited API the sources use, as `Py_LIMITED_API` wants it."""
OPTIONS = [] if sys.platform == "win32" else ["-std=c11", "-O3", "-g0", "-Wall", "-Wextra"]

setup(
    ext_modules=[
        Extension(
            "codex_proapi_native._native",
            sources=sorted(map(str, SOURCES.glob("*.c"))),
            depends=sorted(map(str, SOURCES.glob("*.h"))),
            define_macros=[("Py_LIMITED_API", LEAST_PYTHON)],
            py_limited_api=True,
            extra_compile_args=OPTIONS,
        )
    ],
    options={
        # One wheel for this version of Python and every later one.
        "bdist_wheel": {"py_limited_api": "cp311"},
        # What is in the folder `build` may have been compiled otherwise, with sanitizers for example.
        "build_ext": {"force": True},
    },
)
