/* Reads JSON as the backend writes it; what each function takes and gives is in strict_json.h. */
#include "strict_json.h"

#include <stddef.h>
#include <string.h>

/* Whether a byte of a string stands for itself: ASCII, no control character, quote or backslash. */
static int
is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* Whether a byte is a later one of a character in UTF-8. */
static int
is_later(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* A character of two to four bytes in UTF-8, as Unicode's table 3-7 has them and Python reads them:
 * none is longer than it must be, none is half a surrogate pair, none is beyond U+10FFFF. */
static const unsigned char *
after_character(const unsigned char *at, const unsigned char *end)
{
    size_t left = (size_t)(end - at);
    unsigned char first = at[0];

    if (first >= 0xC2 && first <= 0xDF) {
        return left >= 2 && is_later(at[1]) ? at + 2 : NULL;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        if (left < 3 || !is_later(at[1]) || !is_later(at[2])) {
            return NULL;
        }
        if ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F)) {
            return NULL;
        }
        return at + 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (left < 4 || !is_later(at[1]) || !is_later(at[2]) || !is_later(at[3])) {
            return NULL;
        }
        if ((first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F)) {
            return NULL;
        }
        return at + 4;
    }
    return NULL;
}

/* The value of four hexadecimal digits, of which at least four bytes must be there; -1 for others. */
static long
four_digits(const unsigned char *at)
{
    long value = 0;

    for (int i = 0; i < 4; i++) {
        unsigned char byte = at[i];
        long digit;
        if (byte >= '0' && byte <= '9') {
            digit = byte - '0';
        } else if (byte >= 'a' && byte <= 'f') {
            digit = byte - 'a' + 10;
        } else if (byte >= 'A' && byte <= 'F') {
            digit = byte - 'A' + 10;
        } else {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* An escape, from its backslash on; of a surrogate pair both halves. */
static const unsigned char *
after_escape(const unsigned char *at, const unsigned char *end)
{
    size_t left = (size_t)(end - at);
    long value;

    if (left < 2) {
        return NULL;
    }
    if (at[1] != 'u') {
        return at[1] != 0 && strchr("\"\\/bfnrt", at[1]) != NULL ? at + 2 : NULL;
    }
    if (left < 6 || (value = four_digits(at + 2)) < 0) {
        return NULL;
    }
    if (value < 0xD800 || value > 0xDFFF) {
        return at + 6;
    }
    if (value > 0xDBFF || left < 12 || at[6] != '\\' || at[7] != 'u') {
        return NULL;
    }
    value = four_digits(at + 8);
    return value >= 0xDC00 && value <= 0xDFFF ? at + 12 : NULL;
}

const unsigned char *
after_name(const unsigned char *at, const unsigned char *end)
{
    if (at == end || *at != '"') {
        return NULL;
    }
    at++;
    while (at != end && is_plain(*at)) {
        at++;
    }
    return at != end && *at == '"' ? at + 1 : NULL;
}

const unsigned char *
after_string(const unsigned char *at, const unsigned char *end)
{
    if (at == end || *at != '"') {
        return NULL;
    }
    at++;
    while (at != NULL && at != end) {
        if (is_plain(*at)) {
            at++;
        } else if (*at == '"') {
            return at + 1;
        } else if (*at == '\\') {
            at = after_escape(at, end);
        } else {
            at = after_character(at, end); /* NULL for a control character, too */
        }
    }
    return NULL;
}

const unsigned char *
after_integer(const unsigned char *at, const unsigned char *end)
{
    const unsigned char *first;

    if (at != end && *at == '-') {
        at++;
    }
    first = at;
    while (at != end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at == first || (*first == '0' && at - first > 1) ? NULL : at;
}

/* A word, if it stands there. */
static const unsigned char *
after_word(const unsigned char *at, const unsigned char *end, const char *word)
{
    size_t size = strlen(word);

    return (size_t)(end - at) >= size && memcmp(at, word, size) == 0 ? at + size : NULL;
}

const unsigned char *
after_value(const unsigned char *at, const unsigned char *end)
{
    if (at == end) {
        return NULL;
    }
    switch (*at) {
    case '"':
        return after_string(at, end);
    case '[':
        return after_word(at, end, "[]");
    case 't':
        return after_word(at, end, "true");
    case 'f':
        return after_word(at, end, "false");
    case 'n':
        return after_word(at, end, "null");
    default:
        return after_integer(at, end);
    }
}
