/* Chunks, as HTTP/1.1 frames a body. */
#ifndef CODEX_PROAPI_CHUNKS_H
#define CODEX_PROAPI_CHUNKS_H

#include "native.h"

/* A chunk of the body at the beginning of some bytes. */
struct chunk {
    enum { WHOLE, PARTIAL, FOREIGN } kind; /* FOREIGN: the last one, with extensions, or no chunk */
    const unsigned char *payload;
    size_t size;                /* of the payload, as far as it is there */
    const unsigned char *after; /* where a whole one ends */
};

/* Reads the chunk that begins at `at`. */
struct chunk read_chunk(const unsigned char *at, const unsigned char *end);

/* Whether what has come of a chunk that is not whole may wait for the rest of it: it is short, and no
 * event in it is whole, which a client should have at once. */
int may_wait(const struct chunk *chunk, size_t framed_size);

/* One chunk with these bytes; empty bytes for none. NULL with an exception. */
PyObject *framed_bytes(const unsigned char *bytes, size_t size);

#endif
