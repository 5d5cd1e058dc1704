/* Events of one kind, as the backend writes them, and what the client gets for them. */
#ifndef CODEX_PROAPI_DELTA_EVENTS_H
#define CODEX_PROAPI_DELTA_EVENTS_H

#include "native.h"

enum { MOST_FIELDS = 8 }; /* that an event must have */

/* A field that an event must have once, with this value. */
struct field {
    const unsigned char *name;
    size_t name_size;
    const unsigned char *value;
    size_t value_size;
};

/* The kind: what its events look like, and what is made of them. */
struct kind {
    PyObject *lines;  /* bytes: how an event begins, up to its JSON object */
    PyObject *before; /* bytes before a delta's string for the client; NULL if events pass as they are */
    PyObject *after;  /* bytes after it */
    PyObject *given;  /* the tuple that holds the bytes of `fields` */
    struct field fields[MOST_FIELDS];
    Py_ssize_t field_count;
};

/* Bytes that grow. */
struct output {
    unsigned char *bytes;
    size_t size;
    size_t room;
};

/* What is changed by a read, and kept only if no memory was missing. */
struct progress {
    struct output output;
    long long number; /* the next event's sequence number; negative if they pass as they are */
    long long events; /* taken since the last stop */
};

/* Adds the client's events for those from `at` to `end`: 1; 0 if anything else is among them, and
 * nothing is added; -1 if there is no memory. */
int take_events(const struct kind *kind, const unsigned char *at, const unsigned char *end,
                struct progress *progress);

/* The bytes of a Python object. */
const unsigned char *bytes_of(PyObject *bytes);

#endif
