#include "tokenizer_impl.h"
int hf_new(struct hf **out, const void *bytes, size_t n, const struct tokenizer_settings *settings, struct tokenizer_facts *facts, struct error *e){(void)out;(void)bytes;(void)n;(void)settings;(void)facts;return error_set(e,"stub");}
void hf_free(struct hf *m){(void)m;}
int hf_encode(const struct hf *m, const char *text, size_t n, struct token_ids *out, struct error *e){(void)m;(void)text;(void)n;(void)out;return error_set(e,"stub");}
int hf_decode(const struct hf *m, const int32_t *ids, size_t n, struct buffer *text, struct error *e){(void)m;(void)ids;(void)n;(void)text;return error_set(e,"stub");}
