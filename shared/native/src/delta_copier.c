/* DeltaCopier: takes the deltas of one kind from reads of the upstream socket to chunks for a client.
 *
 * A read is taken as it came, with the framing of its HTTP chunks. As long as it is whole chunks of
 * whole events of the kind that is streamed now, all that is needed is done here, in one call; what
 * else comes is left to the Python code, which reads everything, gives the same bytes for these
 * events, and is what the tests compare with. */
#define PY_SSIZE_T_CLEAN /* sizes of bytes, as arguments of Py_BuildValue, are Py_ssize_t */
#include "native.h"

#include "strict_json.h"

#include <stdio.h>
#include <string.h>
#include <structmember.h>

enum {
    MOST_FIELDS = 8,           /* that an event must have */
    MOST_SIZE_DIGITS = 6,      /* of a chunk that is taken: 16 MiB, far more than a read has */
    MOST_NUMBER_DIGITS = 18,   /* of a sequence number: fits into 63 bits */
    KEPT_BYTES = 16 * 1024,    /* of a chunk that is not whole; a delta has a few hundred */
    LEAST_ROOM = 1024,
    LINE_ROOM = 32,            /* a chunk's size or an event's number in digits */
};

/* A field that an event must have once, with this value. */
struct field {
    const unsigned char *name;
    size_t name_size;
    const unsigned char *value;
    size_t value_size;
};

typedef struct {
    PyObject_HEAD
    PyObject *lines;  /* bytes: how an event begins, up to its JSON object */
    PyObject *before; /* bytes before a delta's string for the client; NULL if events pass as they are */
    PyObject *after;  /* bytes after it */
    PyObject *given;  /* the tuple that holds the bytes of `fields` */
    struct field fields[MOST_FIELDS];
    Py_ssize_t field_count;
    long long number; /* the next event's sequence number; negative if they pass as they are */
    long long events; /* taken since the last stop */
    PyObject *kept;   /* bytes not taken: of a chunk that is not whole, or what it stopped at; or NULL */
    PyObject *framed; /* bytes for the client that `stop` gives; or NULL */
    char stopped;     /* whether it has met something else */
} Copier;

/* Bytes that grow. */
struct output {
    unsigned char *bytes;
    size_t size;
    size_t room;
};

/* What is changed by a read, and kept only if no memory was missing. */
struct progress {
    struct output output;
    long long number;
    long long events;
};

/* Where an event has what is copied or replaced: a JSON string with its quotes, and digits. */
struct found {
    const unsigned char *delta, *delta_end;
    const unsigned char *number, *number_end;
};

/* A chunk of the body at the beginning of some bytes. */
struct chunk {
    enum { WHOLE, PARTIAL, FOREIGN } kind; /* FOREIGN: the last one, with extensions, or no chunk */
    const unsigned char *payload;
    size_t size;                /* of the payload, as far as it is there */
    const unsigned char *after; /* where a whole one ends */
};

static const unsigned char *
bytes_of(PyObject *bytes)
{
    return (const unsigned char *)PyBytes_AsString(bytes);
}

/* Adds bytes: 0, or -1 if there is no memory. */
static int
put(struct output *output, const unsigned char *bytes, size_t size)
{
    if (size > output->room - output->size) {
        size_t room = output->room < LEAST_ROOM ? LEAST_ROOM : output->room;
        unsigned char *grown;
        while (room - output->size < size) {
            if (room > (size_t)PY_SSIZE_T_MAX / 2) {
                return -1;
            }
            room *= 2;
        }
        grown = PyMem_Realloc(output->bytes, room);
        if (grown == NULL) {
            return -1;
        }
        output->bytes = grown;
        output->room = room;
    }
    memcpy(output->bytes + output->size, bytes, size);
    output->size += size;
    return 0;
}

/* Whether bytes are these. */
static int
equal(const unsigned char *bytes, size_t size, const void *others, size_t others_size)
{
    return size == others_size && memcmp(bytes, others, size) == 0;
}

/* Notes a field of an event: its name without quotes, and its value up to `end`. `seen` has a bit for
 * each field that must be there. Gives 0 if the event is not the copier's business: a field comes
 * twice, has another value, is an empty delta or none, or a number that is not written plainly. */
static int
note_field(const Copier *self, const struct field *field, struct found *found, unsigned *seen)
{
    const unsigned char *value = field->value, *end = value + field->value_size;

    if (equal(field->name, field->name_size, "delta", 5)) {
        int fits = found->delta == NULL && *value == '"' && field->value_size > 2;
        found->delta = value;
        found->delta_end = end;
        return fits;
    }
    if (self->number >= 0 && equal(field->name, field->name_size, "sequence_number", 15)) {
        int digits = *value >= '0' && *value <= '9' && field->value_size <= MOST_NUMBER_DIGITS;
        int fits = found->number == NULL && digits;
        found->number = value;
        found->number_end = end;
        return fits;
    }
    for (Py_ssize_t i = 0; i < self->field_count; i++) {
        const struct field *wanted = &self->fields[i];
        if (equal(field->name, field->name_size, wanted->name, wanted->name_size)) {
            int fits = !(*seen & 1u << i)
                && equal(value, field->value_size, wanted->value, wanted->value_size);
            *seen |= 1u << i;
            return fits;
        }
    }
    return 1; /* a field that means nothing here */
}

/* Reads an event's JSON object, which is flat. Gives where it ends, with what was found in it; NULL
 * if it is not the copier's business. */
static const unsigned char *
after_object(const Copier *self, const unsigned char *at, const unsigned char *end, struct found *found)
{
    unsigned seen = 0, all = (1u << self->field_count) - 1;

    memset(found, 0, sizeof *found);
    if (at == end || *at != '{') {
        return NULL;
    }
    do { /* at the brace, or a comma */
        struct field field = {.name = at + 2};
        at = after_name(at + 1, end);
        if (at == NULL || at == end || *at != ':') {
            return NULL;
        }
        field.name_size = (size_t)(at - 1 - field.name);
        field.value = at + 1;
        at = after_value(field.value, end);
        if (at == NULL || at == end) {
            return NULL;
        }
        field.value_size = (size_t)(at - field.value);
        if (!note_field(self, &field, found, &seen)) {
            return NULL;
        }
    } while (*at == ',');
    if (*at != '}' || seen != all || found->delta == NULL) {
        return NULL;
    }
    return self->number >= 0 && found->number == NULL ? NULL : at + 1;
}

/* Adds the client's event for one of upstream's, which is between `at` and `end`: 0, or -1. */
static int
put_event(const Copier *self, const unsigned char *at, const unsigned char *end,
          const struct found *found, struct progress *progress)
{
    struct output *output = &progress->output;

    progress->events++;
    if (self->before != NULL) {
        size_t size = (size_t)(found->delta_end - found->delta);
        if (put(output, bytes_of(self->before), (size_t)PyBytes_Size(self->before)) < 0
            || put(output, found->delta, size) < 0) {
            return -1;
        }
        return put(output, bytes_of(self->after), (size_t)PyBytes_Size(self->after));
    }
    if (self->number >= 0) {
        char digits[LINE_ROOM];
        int size = snprintf(digits, sizeof digits, "%lld", progress->number++);
        if (put(output, at, (size_t)(found->number - at)) < 0
            || put(output, (unsigned char *)digits, (size_t)size) < 0) {
            return -1;
        }
        at = found->number_end;
    }
    return put(output, at, (size_t)(end - at));
}

/* Adds the client's events for those from `at` to `end`: 1; 0 if anything else is among them, and
 * nothing is added; -1 if there is no memory. */
static int
take_events(const Copier *self, const unsigned char *at, const unsigned char *end,
            struct progress *progress)
{
    const unsigned char *lines = bytes_of(self->lines);
    size_t lines_size = (size_t)PyBytes_Size(self->lines);
    const struct progress before = *progress;

    while (at != end) {
        const unsigned char *event = at;
        struct found found;
        if ((size_t)(end - at) < lines_size || memcmp(at, lines, lines_size) != 0) {
            break;
        }
        at = after_object(self, at + lines_size, end, &found);
        if (at == NULL || end - at < 2 || at[0] != '\n' || at[1] != '\n') {
            break;
        }
        at += 2;
        if (put_event(self, event, at, &found, progress) < 0) {
            return -1;
        }
    }
    if (at == end) {
        return 1;
    }
    progress->output.size = before.output.size; /* its memory may have moved, so not all of it */
    progress->number = before.number;
    progress->events = before.events;
    return 0;
}

/* The value of a hexadecimal digit; -1 for another byte. */
static int
hex_digit(unsigned char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20; /* lower case */
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Reads the chunk that begins at `at`. */
static struct chunk
read_chunk(const unsigned char *at, const unsigned char *end)
{
    struct chunk chunk = {.kind = FOREIGN, .payload = end};
    size_t size = 0, left;
    int digits = 0, digit;

    while (at != end && (digit = hex_digit(*at)) >= 0) {
        if (++digits > MOST_SIZE_DIGITS) {
            return chunk;
        }
        size = size * 16 + (size_t)digit;
        at++;
    }
    if (at == end || (end - at == 1 && *at == '\r' && size > 0)) {
        chunk.kind = PARTIAL;
        return chunk;
    }
    if (size == 0 || end - at < 2 || at[0] != '\r' || at[1] != '\n') {
        return chunk;
    }
    at += 2;
    chunk.payload = at;
    left = (size_t)(end - at);
    chunk.size = left < size ? left : size;
    if (left < size + 2) {
        chunk.kind = left <= size || at[size] == '\r' ? PARTIAL : FOREIGN;
    } else if (at[size] == '\r' && at[size + 1] == '\n') {
        chunk.kind = WHOLE;
        chunk.after = at + size + 2;
    }
    return chunk;
}

/* Whether what has come of a chunk that is not whole may wait for the rest of it: it is short, and no
 * event in it is whole, which a client should have at once. */
static int
may_wait(const struct chunk *chunk, size_t framed_size)
{
    const unsigned char *at = chunk->payload, *end = at + chunk->size;

    if (framed_size > KEPT_BYTES || memchr(at, '\r', chunk->size) != NULL) {
        return 0;
    }
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if (at != end && *at == '\n') {
            return 0;
        }
    }
    return 1;
}

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
        if (chunk.kind == WHOLE && (taken = take_events(self, chunk.payload, chunk.payload + chunk.size, progress)) < 0) {
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

/* One chunk of the client's response with these bytes; empty bytes for none. NULL with an exception. */
static PyObject *
framed_bytes(const struct output *output)
{
    char line[LINE_ROOM];
    size_t line_size;
    PyObject *framed;
    char *at;

    if (output->size == 0) {
        return PyBytes_FromStringAndSize("", 0);
    }
    line_size = (size_t)snprintf(line, sizeof line, "%zx\r\n", output->size);
    if (output->size > (size_t)PY_SSIZE_T_MAX - LINE_ROOM - 2) {
        return PyErr_NoMemory();
    }
    framed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(line_size + output->size + 2));
    if (framed == NULL) {
        return NULL;
    }
    at = PyBytes_AsString(framed);
    memcpy(at, line, line_size);
    memcpy(at + line_size, output->bytes, output->size);
    memcpy(at + line_size + output->size, "\r\n", 2);
    return framed;
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
    PyObject *kept = NULL, *framed = framed_bytes(&progress->output), *before = self->kept;

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
    taken = take_events(self, begin, begin + PyBytes_Size(data), &progress);
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

    Py_XDECREF(self->lines);
    Py_XDECREF(self->before);
    Py_XDECREF(self->after);
    Py_XDECREF(self->given);
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
        self->fields[i] = (struct field){
            .name = bytes_of(name), .name_size = (size_t)PyBytes_Size(name),
            .value = bytes_of(value), .value_size = (size_t)PyBytes_Size(value),
        };
    }
    self->given = Py_NewRef(given);
    self->field_count = count;
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
    self->lines = Py_NewRef(lines);
    self->before = Py_XNewRef(before);
    self->after = Py_XNewRef(after);
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
