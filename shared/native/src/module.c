/* The module codex_proapi_native._native. */
#include "native.h"

/* What adds functions and types to the module: 0, or -1 with an exception set. */
static int (*const parts[])(PyObject *) = {
    add_delta_copier,
    add_delta_relay,
    NULL,
};

static int
execute(PyObject *module)
{
    for (size_t i = 0; parts[i] != NULL; i++) {
        if (parts[i](module) < 0) {
            return -1;
        }
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
    {0, NULL},
};

static PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "codex_proapi_native._native",
    .m_doc = "Compiled functions of Codex Pro API.",
    .m_size = 0,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
