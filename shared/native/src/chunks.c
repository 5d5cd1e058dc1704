/* Reads and writes chunks. */
#define PY_SSIZE_T_CLEAN
#include "chunks.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST_SIZE_DIGITS = 6,   /* of a chunk that is taken: 16 MiB, far more than a read has */
    KEPT_BYTES = 16 * 1024, /* of a chunk that is not whole; a delta has a few hundred */
    LINE_ROOM = 32,         /* a chunk's size in digits, and the line's end */
};

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

struct chunk
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

int
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

PyObject *
framed_bytes(const unsigned char *bytes, size_t size)
{
    char line[LINE_ROOM];
    size_t line_size;
    PyObject *framed;
    char *at;

    if (size == 0) {
        return PyBytes_FromStringAndSize("", 0);
    }
    line_size = (size_t)snprintf(line, sizeof line, "%zx\r\n", size);
    if (size > (size_t)PY_SSIZE_T_MAX - LINE_ROOM - 2) {
        return PyErr_NoMemory();
    }
    framed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(line_size + size + 2));
    if (framed == NULL) {
        return NULL;
    }
    at = PyBytes_AsString(framed);
    memcpy(at, line, line_size);
    memcpy(at + line_size, bytes, size);
    memcpy(at + line_size + size, "\r\n", 2);
    return framed;
}
