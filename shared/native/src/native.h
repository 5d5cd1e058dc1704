/* What the files of this extension share. Each file that has something for Python declares one
 * function here, which adds it to the module; module.c calls them all. */
#ifndef CODEX_PROAPI_NATIVE_H
#define CODEX_PROAPI_NATIVE_H

#include <Python.h>

/* Add the types DeltaCopier and DeltaRelay to the module: 0, or -1 with an exception set. */
int add_delta_copier(PyObject *module);
int add_delta_relay(PyObject *module);

/* Whether an object is a DeltaCopier. */
int is_copier(PyObject *object);

/* What its method `feed` does with a read. */
PyObject *copier_feed(PyObject *copier, PyObject *data);

#endif
