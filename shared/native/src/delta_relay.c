/* DeltaRelay: stands in for a protocol's `data_received` while a stream's reads are deltas of one kind.
 *
 * A read that its DeltaCopier takes goes to the client's transport within this call, and no Python
 * code runs. What the Python code would note of it is noted in the same objects: a relay has no
 * figures of its own. Everything else is left to the Python code. */
#define PY_SSIZE_T_CLEAN
#include "native.h"

#include <structmember.h>

typedef struct {
    PyObject_HEAD
    PyObject *copier;     /* NULL once it was stopped */
    PyObject *cycle;      /* the client's request: its `disconnected` is asked */
    PyObject *connection; /* the client's connection: its `write_paused` is asked */
    PyObject *write;      /* methods of its transport */
    PyObject *is_closing;
    PyObject *times;      /* the stream's StreamTimes, and what it refers to */
    PyObject *clock;
    PyObject *gaps;
    PyObject *bounds;
    PyObject *counts;
    PyObject *full;       /* called when the client should take what it has first */
    PyObject *other;      /* called with what was not taken of a read */
    Py_ssize_t limit;
    char noted;
} Relay;

/* What every read needs, made once: names of attributes, and values. */
static struct {
    PyObject *disconnected, *idle, *received_at, *silent, *total, *write_paused;
} names;
static struct {
    PyObject *zero, *one, *no_bytes;
} values;

/* Whether an attribute is true: 1, 0, or -1 with an exception. */
static int
holds(PyObject *object, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(object, name);
    int is_true;

    if (value == NULL) {
        return -1;
    }
    is_true = PyObject_IsTrue(value);
    Py_DECREF(value);
    return is_true;
}

/* Gives a float attribute: 0, or -1 with an exception. */
static int
get_seconds(PyObject *object, PyObject *name, double *seconds)
{
    PyObject *value = PyObject_GetAttr(object, name);

    if (value == NULL) {
        return -1;
    }
    *seconds = PyFloat_AsDouble(value);
    Py_DECREF(value);
    return *seconds == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* Sets a float attribute: 0, or -1 with an exception. */
static int
set_seconds(PyObject *object, PyObject *name, double seconds)
{
    PyObject *value = PyFloat_FromDouble(seconds);
    int set;

    if (value == NULL) {
        return -1;
    }
    set = PyObject_SetAttr(object, name, value);
    Py_DECREF(value);
    return set;
}

/* Counts a gap in its bucket, that of the first bound which is not below it: 0, or -1 with an exception. */
static int
count_gap(const Relay *self, double gap)
{
    Py_ssize_t bucket = 0, buckets = PyList_Size(self->bounds);
    PyObject *count;
    double total;

    while (bucket < buckets && PyFloat_AsDouble(PyList_GetItem(self->bounds, bucket)) < gap) {
        bucket++;
    }
    if (PyErr_Occurred()) {
        return -1; /* a bound is no number */
    }
    count = PyList_GetItem(self->counts, bucket); /* borrowed */
    count = count == NULL ? NULL : PyNumber_Add(count, values.one);
    if (count == NULL || PyList_SetItem(self->counts, bucket, count) < 0) {
        return -1;
    }
    if (get_seconds(self->gaps, names.total, &total) < 0) {
        return -1;
    }
    return set_seconds(self->gaps, names.total, total + gap);
}

/* Notes a read, as `StreamTimes.received` does: 0, or -1 with an exception. */
static int
note_read(const Relay *self)
{
    PyObject *value;
    double before, now;

    if (PyObject_SetAttr(self->times, names.idle, values.zero) < 0
        || get_seconds(self->times, names.received_at, &before) < 0) {
        return -1;
    }
    value = PyObject_CallNoArgs(self->clock);
    if (value == NULL) {
        return -1;
    }
    now = PyFloat_AsDouble(value);
    if ((now == -1.0 && PyErr_Occurred()) || PyObject_SetAttr(self->times, names.received_at, value) < 0) {
        Py_DECREF(value);
        return -1;
    }
    Py_DECREF(value);
    return count_gap(self, now - before);
}

/* Calls one that gives nothing of interest: 0, or -1 with an exception. */
static int
call(PyObject *callable, PyObject *argument)
{
    PyObject *given = argument == NULL ? PyObject_CallNoArgs(callable)
                                       : PyObject_CallFunctionObjArgs(callable, argument, NULL);

    Py_XDECREF(given);
    return given == NULL ? -1 : 0;
}

/* Writes a chunk, as `RequestCycle.write_framed` does: 0, or -1 with an exception. */
static int
write_chunk(const Relay *self, PyObject *chunk)
{
    PyObject *closing;
    int gone, paused;

    if (PyObject_SetAttr(self->times, names.silent, values.zero) < 0) {
        return -1;
    }
    gone = holds(self->cycle, names.disconnected);
    if (gone == 0) {
        closing = PyObject_CallNoArgs(self->is_closing);
        gone = closing == NULL ? -1 : PyObject_IsTrue(closing);
        Py_XDECREF(closing);
    }
    if (gone < 0 || (gone == 0 && call(self->write, chunk) < 0)) {
        return -1;
    }
    paused = holds(self->connection, names.write_paused);
    return paused > 0 ? call(self->full, NULL) : paused;
}

PyDoc_STRVAR(received_doc,
    "received($self, data, /)\n--\n\n"
    "Take a read, which begins where a chunk does or where the last read ended.\n\n"
    "What the copier takes is written to the client. Else `other` is called: with b\"\" if the copier\n"
    "has the read, and with the read if it was longer than `limit` or the relay was stopped.");

static PyObject *
received(Relay *self, PyObject *data)
{
    PyObject *chunk;
    int failed;

    if (!PyBytes_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "a read is bytes");
        return NULL;
    }
    if (self->copier == NULL || PyBytes_Size(data) > self->limit) {
        return PyObject_CallFunctionObjArgs(self->other, data, NULL);
    }
    chunk = copier_feed(self->copier, data);
    if (chunk == NULL) {
        return NULL;
    }
    Py_INCREF((PyObject *)self); /* the client may be gone while it is written to */
    if (chunk == Py_None) {
        failed = call(self->other, values.no_bytes);
    } else {
        failed = self->noted ? 0 : note_read(self);
        self->noted = 0;
        if (failed == 0 && PyBytes_Size(chunk) > 0) {
            failed = write_chunk(self, chunk);
        }
    }
    Py_DECREF((PyObject *)self);
    Py_DECREF(chunk);
    if (failed < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc,
    "stop($self)\n--\n\n"
    "Take no read any more: all are `other`'s. The copier is to be stopped by whom it belongs to.");

static PyObject *
stop(Relay *self, PyObject *Py_UNUSED(arguments))
{
    Py_CLEAR(self->copier);
    Py_RETURN_NONE;
}

static PyObject *
relay_repr(Relay *self)
{
    return PyUnicode_FromFormat("<DeltaRelay %s>", self->copier == NULL ? "stopped" : "under way");
}

/* All objects it refers to, to visit or to clear. */
#define FOR_EACH_REFERENCE(DO) \
    DO(self->copier); DO(self->cycle); DO(self->connection); DO(self->write); DO(self->is_closing); \
    DO(self->times); DO(self->clock); DO(self->gaps); DO(self->bounds); DO(self->counts); \
    DO(self->full); DO(self->other)

static int
relay_traverse(Relay *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE((PyObject *)self));
    FOR_EACH_REFERENCE(Py_VISIT);
    return 0;
}

static int
relay_clear(Relay *self)
{
    FOR_EACH_REFERENCE(Py_CLEAR);
    return 0;
}

static void
relay_dealloc(Relay *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(self);
    relay_clear(self);
    release(self);
    Py_DECREF(type);
}

/* Fetches what a read needs of the objects given: 0, or -1 with an exception. */
static int
fetch(Relay *self)
{
    PyObject *transport = NULL;

    self->connection = PyObject_GetAttrString(self->cycle, "connection");
    if (self->connection != NULL) {
        transport = PyObject_GetAttrString(self->connection, "transport");
    }
    if (transport == NULL) {
        return -1;
    }
    self->write = PyObject_GetAttrString(transport, "write");
    self->is_closing = PyObject_GetAttrString(transport, "is_closing");
    Py_DECREF(transport);
    self->clock = PyObject_GetAttrString(self->times, "clock");
    self->gaps = PyObject_GetAttrString(self->times, "gaps");
    if (self->write == NULL || self->is_closing == NULL || self->clock == NULL || self->gaps == NULL) {
        return -1;
    }
    self->bounds = PyObject_GetAttrString(self->gaps, "bounds");
    self->counts = PyObject_GetAttrString(self->gaps, "counts");
    if (self->bounds == NULL || self->counts == NULL) {
        return -1;
    }
    if (!PyList_Check(self->bounds) || !PyList_Check(self->counts)) {
        PyErr_SetString(PyExc_TypeError, "bounds and counts of gaps are lists");
        return -1;
    }
    return 0;
}

static PyObject *
relay_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *known[] = {"copier", "cycle", "times", "full", "other", "limit", "noted", NULL};
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    PyObject *copier, *cycle, *times, *full, *other;
    Py_ssize_t limit;
    int noted;
    Relay *self;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO$OOOnp", known, &copier, &cycle, &times,
                                     &full, &other, &limit, &noted)) {
        return NULL;
    }
    if (!is_copier(copier)) {
        PyErr_SetString(PyExc_TypeError, "a relay needs a DeltaCopier");
        return NULL;
    }
    self = (Relay *)allocate(type, 0); /* all zero */
    if (self == NULL) {
        return NULL;
    }
    self->copier = Py_NewRef(copier);
    self->cycle = Py_NewRef(cycle);
    self->times = Py_NewRef(times);
    self->full = Py_NewRef(full);
    self->other = Py_NewRef(other);
    self->limit = limit;
    self->noted = (char)noted;
    if (fetch(self) < 0) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

PyDoc_STRVAR(relay_doc,
    "DeltaRelay(copier, cycle, *, times, full, other, limit, noted)\n--\n\n"
    "Takes reads of upstream's socket to a client's transport, in the place of Python code.\n\n"
    "Args:\n"
    "    copier: the DeltaCopier that translates them.\n"
    "    cycle: the client's request, of whose response only chunks are left to write.\n"
    "    times: the stream's times, which are noted in it.\n"
    "    full: called, without arguments, when the client should take what was written first.\n"
    "    other: called with what is left of a read that is not all the copier's.\n"
    "    limit: bytes of the longest read that is taken.\n"
    "    noted: whether what comes next is of a read that was noted.");

static PyMethodDef relay_methods[] = {
    {"received", (PyCFunction)received, METH_O, received_doc},
    {"stop", (PyCFunction)stop, METH_NOARGS, stop_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef relay_members[] = {
    {"limit", T_PYSSIZET, offsetof(Relay, limit), 0, PyDoc_STR("Bytes of the longest read that is taken.")},
    {"noted", T_BOOL, offsetof(Relay, noted), READONLY, PyDoc_STR("Whether what comes next is of a read that was noted.")},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot relay_slots[] = {
    {Py_tp_doc, (void *)relay_doc},
    {Py_tp_new, relay_new},
    {Py_tp_dealloc, relay_dealloc},
    {Py_tp_traverse, relay_traverse},
    {Py_tp_clear, relay_clear},
    {Py_tp_repr, relay_repr},
    {Py_tp_methods, relay_methods},
    {Py_tp_members, relay_members},
    {0, NULL},
};

static PyType_Spec relay_spec = {
    .name = "codex_proapi_native._native.DeltaRelay",
    .basicsize = sizeof(Relay),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = relay_slots,
};

/* Makes what every read needs: 0, or -1 with an exception. */
static int
make_values(void)
{
    struct {
        PyObject **name;
        const char *text;
    } const texts[] = {
        {&names.disconnected, "disconnected"}, {&names.idle, "idle"},
        {&names.received_at, "received_at"}, {&names.silent, "silent"},
        {&names.total, "total"}, {&names.write_paused, "write_paused"},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (*texts[i].name == NULL && (*texts[i].name = PyUnicode_InternFromString(texts[i].text)) == NULL) {
            return -1;
        }
    }
    if (values.zero == NULL) {
        values.zero = PyLong_FromLong(0);
        values.one = PyLong_FromLong(1);
        values.no_bytes = PyBytes_FromStringAndSize("", 0);
    }
    return values.zero == NULL || values.one == NULL || values.no_bytes == NULL ? -1 : 0;
}

int
add_delta_relay(PyObject *module)
{
    PyObject *type;
    int added;

    if (make_values() < 0) {
        return -1;
    }
    type = PyType_FromModuleAndSpec(module, &relay_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    added = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return added;
}
