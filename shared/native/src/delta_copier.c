/* DeltaCopier: takes the deltas of one kind from reads of the upstream socket to chunks for a client.
 *
 * A read is taken as it came, with the framing of its HTTP chunks. As long as it is whole chunks of
 * whole events of the kind that is streamed now, all that is needed is done here, in one call; what
 * else comes is left to the Python code, which reads everything, gives the same bytes for these
 * events, and is what the tests compare with. */
#define PY_SSIZE_T_CLEAN /* sizes of bytes, as arguments of Py_BuildValue, are Py_ssize_t */
#include "chunks.h"
#include "delta_events.h"

#include <string.h>
#include <structmember.h>

typedef struct {
    PyObject_HEAD
    struct kind kind;
    long long number; /* the next event's sequence number; negative if they pass as they are */
    long long events; /* taken since the last stop */
    PyObject *kept;   /* bytes not taken: of a chunk that is not whole, or what it stopped at; or NULL */
    PyObject *framed; /* bytes for the client that `stop` gives; or NULL */
    char stopped;     /* whether it has met something else */
} Copier;

/* Takes chunks up to `end`, as many as are whole and the copier's business: gives where it stopped,
 * or NULL if there is no memory. `stopped` is set if something else stands there. */
static const unsigned char *
take_chunks(const Copier *self, const unsigned char *at, const unsigned char *end,
            struct progress *progress, int *stopped)
{
    while (at != end) {
        struct chunk chunk = read_chunk(at, end);
        int taken = 0;
        if (chunk.kind == PARTIAL && may_wait(&chunk, (size_t)(end - at))) {
            return at;
        }
        if (chunk.kind == WHOLE && (taken = take_events(&self->kind, chunk.payload, chunk.payload + chunk.size, progress)) < 0) {
            return NULL;
        }
        if (!taken) {
            *stopped = 1;
            return at;
        }
        at = chunk.after;
    }
    return at;
}

/* What was kept and what has come, in one piece: a new reference, or NULL with an exception. */
static PyObject *
joined_bytes(PyObject *kept, PyObject *data)
{
    Py_ssize_t kept_size = kept == NULL ? 0 : PyBytes_Size(kept), size = PyBytes_Size(data);
    PyObject *joined;
    char *at;

    if (kept_size == 0) {
        return Py_NewRef(data);
    }
    if (size > PY_SSIZE_T_MAX - kept_size) {
        return PyErr_NoMemory();
    }
    joined = PyBytes_FromStringAndSize(NULL, kept_size + size);
    if (joined != NULL) {
        at = PyBytes_AsString(joined);
        memcpy(at, PyBytes_AsString(kept), (size_t)kept_size);
        memcpy(at + kept_size, PyBytes_AsString(data), (size_t)size);
    }
    return joined;
}

/* Notes what a read has led to, and gives what `feed` does: a new reference, or NULL with an exception
 * and nothing noted. `rest` is what was not taken of `bytes`. */
static PyObject *
conclude(Copier *self, const struct progress *progress, PyObject *bytes, const unsigned char *rest,
         int stopped)
{
    const unsigned char *begin = bytes_of(bytes), *end = begin + PyBytes_Size(bytes);
    PyObject *kept = NULL, *framed = framed_bytes(progress->output.bytes, progress->output.size), *before = self->kept;

    if (framed == NULL) {
        return NULL;
    }
    if (rest == begin && rest != end) {
        kept = Py_NewRef(bytes);
    } else if (rest != end) {
        kept = PyBytes_FromStringAndSize((const char *)rest, end - rest);
        if (kept == NULL) {
            Py_DECREF(framed);
            return NULL;
        }
    }
    self->number = progress->number;
    self->events = progress->events;
    self->kept = kept;
    Py_XDECREF(before);
    if (!stopped) {
        return framed;
    }
    if (!self->stopped) { /* else it has been told so before, and nothing is added */
        self->stopped = 1;
        self->framed = framed;
    } else {
        Py_DECREF(framed);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(feed_doc,
    "feed($self, data, /)\n--\n\n"
    "Take a read, which begins where a chunk does or where the last read ended.\n\n"
    "Gives the client's chunk, b\"\" if there is nothing to write yet; None once something has come\n"
    "that is not the copier's business: `stop` then tells what.");

static PyObject *
feed(Copier *self, PyObject *data)
{
    struct progress progress = {.number = self->number, .events = self->events};
    const unsigned char *begin, *rest;
    PyObject *bytes, *given = NULL;
    int stopped = self->stopped;

    if (!PyBytes_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "a read is bytes");
        return NULL;
    }
    bytes = joined_bytes(self->kept, data);
    if (bytes == NULL) {
        return NULL;
    }
    begin = rest = bytes_of(bytes);
    if (!stopped) {
        rest = take_chunks(self, begin, begin + PyBytes_Size(bytes), &progress, &stopped);
    }
    if (rest == NULL) {
        PyErr_NoMemory();
    } else {
        given = conclude(self, &progress, bytes, rest, stopped);
    }
    PyMem_Free(progress.output.bytes);
    Py_DECREF(bytes);
    return given;
}

PyObject *
copier_feed(PyObject *copier, PyObject *data)
{
    return feed((Copier *)copier, data);
}

PyDoc_STRVAR(translate_doc,
    "translate($self, events, /)\n--\n\n"
    "Translate whole events, which came without the framing of chunks, and note nothing.\n\n"
    "Gives the client's bytes, without framing, and the number of events; None if there is anything\n"
    "else among them.");

static PyObject *
translate(Copier *self, PyObject *data)
{
    struct progress progress = {.number = self->number};
    const unsigned char *begin;
    PyObject *given = NULL;
    int taken;

    if (!PyBytes_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "events are bytes");
        return NULL;
    }
    begin = bytes_of(data);
    taken = take_events(&self->kind, begin, begin + PyBytes_Size(data), &progress);
    if (taken < 0) {
        PyErr_NoMemory();
    } else if (taken == 0) {
        given = Py_NewRef(Py_None);
    } else {
        given = Py_BuildValue("(y#L)", progress.output.bytes, (Py_ssize_t)progress.output.size,
                              progress.events);
    }
    PyMem_Free(progress.output.bytes);
    return given;
}

PyDoc_STRVAR(stop_doc,
    "stop($self)\n--\n\n"
    "End taking reads. Gives the client's chunk of the last one, b\"\" if there is none or `feed` gave\n"
    "it; what was not taken, from the border of a chunk on; and the number of events taken since the\n"
    "last stop. The next read begins where a chunk does.");

static PyObject *
stop(Copier *self, PyObject *Py_UNUSED(arguments))
{
    PyObject *framed = self->framed, *kept = self->kept;
    PyObject *given = Py_BuildValue("(NNL)",
        framed != NULL ? Py_NewRef(framed) : PyBytes_FromStringAndSize("", 0),
        kept != NULL ? Py_NewRef(kept) : PyBytes_FromStringAndSize("", 0), self->events);

    if (given == NULL) {
        return NULL;
    }
    self->framed = self->kept = NULL;
    self->events = 0;
    self->stopped = 0;
    Py_XDECREF(framed);
    Py_XDECREF(kept);
    return given;
}

static PyObject *
copier_repr(Copier *self)
{
    Py_ssize_t kept = self->kept == NULL ? 0 : PyBytes_Size(self->kept);

    return PyUnicode_FromFormat("<DeltaCopier %lld events, %zd bytes kept%s>", self->events, kept,
                                self->stopped ? ", stopped" : "");
}

static void
copier_dealloc(Copier *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    Py_XDECREF(self->kind.lines);
    Py_XDECREF(self->kind.before);
    Py_XDECREF(self->kind.after);
    Py_XDECREF(self->kind.given);
    Py_XDECREF(self->kept);
    Py_XDECREF(self->framed);
    release(self);
    Py_DECREF(type);
}

/* Reads the fields that events must have out of a tuple of pairs of bytes: 0, or -1 with an exception. */
static int
set_fields(Copier *self, PyObject *given)
{
    Py_ssize_t count = PyTuple_Size(given);

    if (count > MOST_FIELDS) {
        PyErr_Format(PyExc_ValueError, "more than %d fields", MOST_FIELDS);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name, *value, *pair = PyTuple_GetItem(given, i);
        if (!PyTuple_Check(pair)) {
            PyErr_SetString(PyExc_TypeError, "a field is a pair of bytes");
            return -1;
        }
        if (!PyArg_ParseTuple(pair, "SS", &name, &value)) {
            return -1;
        }
        self->kind.fields[i] = (struct field){
            .name = bytes_of(name), .name_size = (size_t)PyBytes_Size(name),
            .value = bytes_of(value), .value_size = (size_t)PyBytes_Size(value),
        };
    }
    self->kind.given = Py_NewRef(given);
    self->kind.field_count = count;
    return 0;
}

static PyObject *
copier_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    PyObject *lines, *fields, *around, *before = NULL, *after = NULL;
    long long number;
    Copier *self;

    if (keywords != NULL && PyDict_Size(keywords) != 0) {
        PyErr_SetString(PyExc_TypeError, "DeltaCopier takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "SO!OL", &lines, &PyTuple_Type, &fields, &around, &number)) {
        return NULL;
    }
    if (around != Py_None) {
        if (!PyTuple_Check(around)) {
            PyErr_SetString(PyExc_TypeError, "what is around a delta is a pair of bytes, or None");
            return NULL;
        }
        if (!PyArg_ParseTuple(around, "SS", &before, &after)) {
            return NULL;
        }
    }
    self = (Copier *)allocate(type, 0); /* all zero */
    if (self == NULL) {
        return NULL;
    }
    self->kind.lines = Py_NewRef(lines);
    self->kind.before = Py_XNewRef(before);
    self->kind.after = Py_XNewRef(after);
    self->number = number;
    if (set_fields(self, fields) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

PyDoc_STRVAR(copier_doc,
    "DeltaCopier(lines, fields, around, number, /)\n--\n\n"
    "Takes events of one kind from upstream's chunks to the client's.\n\n"
    "Args:\n"
    "    lines: how such an event begins, up to its JSON object.\n"
    "    fields: names of fields, without quotes, and the JSON that each must have; 8 at most.\n"
    "    around: the client's bytes before and after a delta's JSON string; None for the event itself.\n"
    "    number: sequence number of the next event, to replace its own; negative to leave them.");

static PyMethodDef copier_methods[] = {
    {"feed", (PyCFunction)feed, METH_O, feed_doc},
    {"translate", (PyCFunction)translate, METH_O, translate_doc},
    {"stop", (PyCFunction)stop, METH_NOARGS, stop_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef copier_members[] = {
    {"number", T_LONGLONG, offsetof(Copier, number), 0,
     PyDoc_STR("The next event's sequence number; negative if they pass as they are.")},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot copier_slots[] = {
    {Py_tp_doc, (void *)copier_doc},
    {Py_tp_new, copier_new},
    {Py_tp_dealloc, copier_dealloc},
    {Py_tp_repr, copier_repr},
    {Py_tp_methods, copier_methods},
    {Py_tp_members, copier_members},
    {0, NULL},
};

static PyType_Spec copier_spec = {
    .name = "codex_proapi_native._native.DeltaCopier",
    .basicsize = sizeof(Copier),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = copier_slots,
};

/* The type, by which a copier is known. */
static PyObject *copier_type;

int
is_copier(PyObject *object)
{
    return (PyObject *)Py_TYPE(object) == copier_type; /* it has no subclasses */
}

int
add_delta_copier(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &copier_spec, NULL);
    int added;

    if (type == NULL) {
        return -1;
    }
    added = PyModule_AddType(module, (PyTypeObject *)type);
    Py_XDECREF(copier_type);
    copier_type = type;
    return added;
}
