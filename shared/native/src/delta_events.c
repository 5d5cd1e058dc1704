/* Compares events byte for byte with the one form that is known, and copies what clients get of them. */
#define PY_SSIZE_T_CLEAN
#include "delta_events.h"

#include "strict_json.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST_NUMBER_DIGITS = 18, /* of a sequence number: fits into 63 bits */
    LEAST_ROOM = 1024,
    NUMBER_ROOM = 32,        /* an event's number in digits */
};

/* Where an event has what is copied or replaced: a JSON string with its quotes, and digits. */
struct found {
    const unsigned char *delta, *delta_end;
    const unsigned char *number, *number_end;
};

const unsigned char *
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
note_field(const struct kind *kind, int numbered, const struct field *field, struct found *found,
           unsigned *seen)
{
    const unsigned char *value = field->value, *end = value + field->value_size;

    if (equal(field->name, field->name_size, "delta", 5)) {
        int fits = found->delta == NULL && *value == '"' && field->value_size > 2;
        found->delta = value;
        found->delta_end = end;
        return fits;
    }
    if (numbered && equal(field->name, field->name_size, "sequence_number", 15)) {
        int digits = *value >= '0' && *value <= '9' && field->value_size <= MOST_NUMBER_DIGITS;
        int fits = found->number == NULL && digits;
        found->number = value;
        found->number_end = end;
        return fits;
    }
    for (Py_ssize_t i = 0; i < kind->field_count; i++) {
        const struct field *wanted = &kind->fields[i];
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
after_object(const struct kind *kind, int numbered, const unsigned char *at, const unsigned char *end,
             struct found *found)
{
    unsigned seen = 0, all = (1u << kind->field_count) - 1;

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
        if (!note_field(kind, numbered, &field, found, &seen)) {
            return NULL;
        }
    } while (*at == ',');
    if (*at != '}' || seen != all || found->delta == NULL) {
        return NULL;
    }
    return numbered && found->number == NULL ? NULL : at + 1;
}

/* Adds the client's event for one of upstream's, which is between `at` and `end`: 0, or -1. */
static int
put_event(const struct kind *kind, const unsigned char *at, const unsigned char *end,
          const struct found *found, struct progress *progress)
{
    struct output *output = &progress->output;

    progress->events++;
    if (kind->before != NULL) {
        size_t size = (size_t)(found->delta_end - found->delta);
        if (put(output, bytes_of(kind->before), (size_t)PyBytes_Size(kind->before)) < 0
            || put(output, found->delta, size) < 0) {
            return -1;
        }
        return put(output, bytes_of(kind->after), (size_t)PyBytes_Size(kind->after));
    }
    if (progress->number >= 0) {
        char digits[NUMBER_ROOM];
        int size = snprintf(digits, sizeof digits, "%lld", progress->number++);
        if (put(output, at, (size_t)(found->number - at)) < 0
            || put(output, (unsigned char *)digits, (size_t)size) < 0) {
            return -1;
        }
        at = found->number_end;
    }
    return put(output, at, (size_t)(end - at));
}

int
take_events(const struct kind *kind, const unsigned char *at, const unsigned char *end,
            struct progress *progress)
{
    const unsigned char *lines = bytes_of(kind->lines);
    size_t lines_size = (size_t)PyBytes_Size(kind->lines);
    const struct progress before = *progress;

    while (at != end) {
        const unsigned char *event = at;
        struct found found;
        if ((size_t)(end - at) < lines_size || memcmp(at, lines, lines_size) != 0) {
            break;
        }
        at = after_object(kind, progress->number >= 0, at + lines_size, end, &found);
        if (at == NULL || end - at < 2 || at[0] != '\n' || at[1] != '\n') {
            break;
        }
        at += 2;
        if (put_event(kind, event, at, &found, progress) < 0) {
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
