/*
 * Values that are JSON, and texts that are not, with what reading them gives. Whole for code that reads
 * a value inside of a container; EMPTY is what the empty text gives by itself.
 */
#ifndef TESTS_SUPPORT_JSON_VALUES_H
#define TESTS_SUPPORT_JSON_VALUES_H

#include <stddef.h>

#include "avito_messenger.h"

struct json_value {
    const char *text;
    size_t len;
    int result;
};
/* clang-format off */
#define Y(text)        {text, sizeof(text) - 1, AVITO_OK}
#define N(text)        {text, sizeof(text) - 1, AVITO_ERR_JSON}
#define BAD_UTF8(text) {text, sizeof(text) - 1, AVITO_ERR_JSON_UTF8}

static const struct json_value json_values[] = {
    Y("1"), Y("0"), Y("-0"), Y("-1"), Y("123456789012345678901234567890"), Y("1.5"), Y("-0.0"), Y("1e1"),
    Y("1E+1"), Y("1e-1"), Y("0e1"), Y("0.1e10"), Y("1.0E-99"), Y("true"), Y("false"), Y("null"), Y("\"\""),
    Y("\"a\""), Y(" \t\r\n 1 \t\r\n "), Y("[]"), Y("{}"), Y("[1]"), Y("[1,2]"), Y("[ ]"), Y("{ }"),
    Y("[[],{},[[]]]"), Y("{\"a\":1}"), Y("{\"a\":{\"b\":[]}}"), Y("{\"\":1}"), Y("{\"a\":1,\"a\":2}"),
    Y("{ \"a\" : 1 , \"b\" : 2 }"), Y("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), Y("\"\\u0000\""), Y("\"\\uABCD\\uabcd\""),
    Y("\"\\ud83d\\ude00\""), Y("\"\\ud800\""), Y("\"\\udc00\\ud800\""), Y("\"\\ud800\\ud800\""),
    Y("\"\\ud800x\""), Y("\"\\ud800\\n\""), Y("\"\\ud800\\\"\""), Y("\"\x7f\""), Y("\"\xc2\x80\""),
    Y("\"\xdf\xbf\""), Y("\"\xe0\xa0\x80\""), Y("\"\xed\x9f\xbf\""), Y("\"\xee\x80\x80\""),
    Y("\"\xef\xbf\xbf\""), Y("\"\xf0\x90\x80\x80\""), Y("\"\xf4\x8f\xbf\xbf\""), Y("\"\xef\xbb\xbf\""),
    Y("\"/*\""), Y("\"0123456789012345678901234567890123456789\""),
    N(""), N("01"), N("1\0165"), N("-"), N("+1"), N("-01"), N("--1"), N("1."), N(".1"), N("1.e1"), N("1e"), N("1e+"), N("1e-"),
    N("{\"a\":[{}}}"), N("[{\"a\":[]]]"), N("[[{}}]"), N("{\"a\":[[]}}"), N("[{\"a\":{}]]"), N("[[[]}]"),
    N("1.5.1"), N("1e1.5"), N("1e1e1"), N("0x1"), N("1x"), N("1 2"), N("NaN"), N("Infinity"), N("-Infinity"),
    N("tru"), N("truee"), N("True"), N("nul"), N("nulll"), N("fals"), N("t"), N("\""), N("\"a"), N("'a'"),
    N("a"), N("\"\\x\""), N("\"\\\""), N("\"\\u\""), N("\"\\u12\""), N("\"\\u12G4\""), N("\"\\u 123\""),
    N("\"\\U1234\""), N("\"\\a\""), N("\"\\0\""), N("\"\t\""), N("\"\n\""), N("\"\x1f\""), N("\"\0\""),
    N("\0"), N("["), N("]"), N("}"), N("[1"), N("[1,"), N("[1,]"), N("[,1]"), N("[,]"), N("[1,,2]"),
    N("[1 2]"), N("[1}"), N("{]"), N("{1:2}"), N("{\"a\"}"), N("{\"a\":}"), N("{\"a\":1,}"), N("{,}"),
    N("{\"a\" 1}"), N("{\"a\"::1}"), N("{a:1}"), N("{\"a\":1 \"b\":2}"), N("{\"a\":1,,\"b\":2}"), N("{\"a\",1}"),
    N("{null:1}"), N("[1]]"), N("{}}"), N("1}"), N("//\n1"), N("/**/1"), N("1//"), N("#"), N("\v1"), N("\f1"),
    N("\xc2\xa0" "1"), N("\xef\xbb\xbf" "1"), N("1;"), N("(1)"), N("undefined"), N("\\u0031"),
    BAD_UTF8("\"\x80\""), BAD_UTF8("\"\xbf\""), BAD_UTF8("\"\xc0\x80\""), BAD_UTF8("\"\xc1\xbf\""),
    BAD_UTF8("\"\xc2\""), BAD_UTF8("\"\xc2\xc2\""), BAD_UTF8("\"\xe0\x9f\xbf\""), BAD_UTF8("\"\xe2\x82\""),
    BAD_UTF8("\"\xe2\x82x\""), BAD_UTF8("\"\xed\xa0\x80\""), BAD_UTF8("\"\xed\xbf\xbf\""),
    BAD_UTF8("\"\xf0\x8f\xbf\xbf\""), BAD_UTF8("\"\xf0\x9f\x98\""), BAD_UTF8("\"\xf4\x90\x80\x80\""),
    BAD_UTF8("\"\xf5\x80\x80\x80\""), BAD_UTF8("\"\xf8\x88\x80\x80\x80\""), BAD_UTF8("\"\xfe\""),
    BAD_UTF8("\"\xff\""), BAD_UTF8("{\"\xff\":1}"), BAD_UTF8("\"0123456789abcdef\x80\""),
    BAD_UTF8("\"0123456789abcde\xc2\""), BAD_UTF8("\"\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\"")
};
/* clang-format on */

#undef Y
#undef N
#undef BAD_UTF8

/* What is between the quotes of a string, and the text that it means. */
static const struct {
    const char *json, *text;
    size_t len;
} json_strings[] = {
    {"", "", 0},
    {"\\u0000", "\0", 1},
    {"a\\u0000b\\u0000", "a\0b\0", 4},
    {"\\u0041\\u00e9\\u2603\\uD83D\\uDE00", "A\xc3\xa9\xe2\x98\x83\xf0\x9f\x98\x80", 10},
    {"\\ud800", "\xef\xbf\xbd", 3},
    {"\\udfff!", "\xef\xbf\xbd!", 4},
    {"\\ud800\\ud800\\udc00", "\xef\xbf\xbd\xf0\x90\x80\x80", 7},
    {"\\ud83d\\n\\ude00", "\xef\xbf\xbd\n\xef\xbf\xbd", 7},
    {"\\ud83d\\u0041",
     "\xef\xbf\xbd"
     "A",
     4},
    {"\\ud83dx\\u0041", "\xef\xbf\xbdxA", 5},
    {"\\ud83d\\uffff", "\xef\xbf\xbd\xef\xbf\xbf", 6},
    {"\\udbff\\udfff\\uffff", "\xf4\x8f\xbf\xbf\xef\xbf\xbf", 7},
    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
    {"0123456789abcde\\n0123456789abcdef", "0123456789abcde\n0123456789abcdef", 32},
    {"\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xf0\x9f\x98\x80",
     "\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xd0\x96\xf0\x9f\x98\x80",
     22},
};

#endif
