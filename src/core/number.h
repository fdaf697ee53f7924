/* number.h - doubles from and to decimal text, correctly rounded, whatever the locale.
 * In: a JSON number, or a double. Out: a double, or its shortest digits.
 * Not here: integers, checking what is a number (json_read).   SPDX-License-Identifier: MIT */
#ifndef MM_CORE_NUMBER_H
#define MM_CORE_NUMBER_H

#include "err.h"

MM_HIDDEN_BEGIN

enum { MM_NUMBER_TEXT = 32 }; /* room for any number that mm_number_write writes */

/* The double nearest to the n characters of text, which are a number in JSON's grammar; infinity
 * where the value is out of range. *exact (may be NULL) becomes whether mm_number_write gives back
 * a number of the same decimal value: 0.1 is exact, 0.1000000000000000055 and 1e400 are not. */
double mm_number_read(const char *text, size_t n, bool *exact);

/* Write the shortest digits of 15, 16 or 17 that read back equal; integral values have no point.
 * No NUL. Returns the characters written, 0 for NaN and infinities. */
size_t mm_number_write(double value, char out[MM_NUMBER_TEXT]);

MM_HIDDEN_END

#endif
