/* Reads JSON as the backend writes it: in one line, without blanks between its parts, in sound UTF-8.
 *
 * Each function takes where something should begin and where the bytes end, and gives where it ends;
 * NULL if it is not there, is not whole, or is written in another way. None reads at or beyond `end`. */
#ifndef CODEX_PROAPI_STRICT_JSON_H
#define CODEX_PROAPI_STRICT_JSON_H

/* A string with its quotes, without escapes, of ASCII alone: as names of fields are. */
const unsigned char *after_name(const unsigned char *at, const unsigned char *end);

/* A string with its quotes: no control characters, sound escapes, surrogates in pairs alone. */
const unsigned char *after_string(const unsigned char *at, const unsigned char *end);

/* An integer, without leading zeros. */
const unsigned char *after_integer(const unsigned char *at, const unsigned char *end);

/* A string, an integer, `[]`, `true`, `false` or `null`. */
const unsigned char *after_value(const unsigned char *at, const unsigned char *end);

#endif
