/* How well-known vocabularies cut text into words, in the dialect of tokenizer.json. */
#ifndef KICK_TOKENIZER_PATTERNS_H
#define KICK_TOKENIZER_PATTERNS_H

#define PATTERN_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define PATTERN_LETTERS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define PATTERN_REST " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define PATTERN_LLAMA3 PATTERN_CONTRACTIONS "|" PATTERN_LETTERS "|\\p{N}{1,3}|" PATTERN_REST
#define PATTERN_QWEN2 PATTERN_CONTRACTIONS "|" PATTERN_LETTERS "|\\p{N}|" PATTERN_REST
#define PATTERN_GPT2                                                                               \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

#endif
