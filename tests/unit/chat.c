/* Chat formats against ../shared, and by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "chat.h"
#include "file.h"

static struct error e;

static void by_hand(void **unused)
{
    (void)unused;
    const struct chat_format *f;
    const struct chat_message list[] = {{"user", "Hi"}, {"assistant", "Yes?"}, {"user", "Bye"}};
    struct buffer b = {0};
    assert_int_equal(chat_find(&f, NULL, NULL, &e), 0);
    assert_int_equal(chat_render(&b, f, list, 3, true, NULL, "</s>", &e), 0);
    assert_non_null(strstr((char *)b.data, " USER: Hi ASSISTANT: Yes?</s>USER: Bye ASSISTANT:"));
    assert_int_equal(chat_render(&b, f, list, 2, true, NULL, NULL, &e), -1);
    assert_int_equal(chat_find(&f, NULL, "{{ messages }}", &e), -1);
    assert_int_equal(chat_find(&f, "no such", NULL, &e), -1);
    buffer_free(&b);
}

static void shared_formats(void **unused)
{
    (void)unused;
    const char *shared = getenv("KICK_SHARED");
    char path[1024];
    snprintf(path, sizeof path, "%s/goldens/eval/chat.jsonl", shared ? shared : "../shared");
    FILE *file = fopen(path, "r");
    if (!file)
        skip();
    char *line = NULL;
    size_t room = 0;
    int seen = 0, bad = 0;
    for (ssize_t n; (n = getline(&line, &room, file)) > 0;) {
        json_t *o = json_loadb(line, (size_t)n, 0, NULL), *m;
        const char *name = json_string_value(json_object_get(o, "template"));
        const char *want = json_string_value(json_object_get(o, "prompt")), *key = name;
        const json_t *messages = json_object_get(o, "messages");
        const struct chat_format *f = NULL;
        struct chat_message list[8];
        struct buffer b = {0};
        char *template = NULL;
        size_t i, k;
        json_array_foreach(messages, i, m)
        {
            list[i].role = json_string_value(json_object_get(m, "role"));
            list[i].text = json_string_value(json_object_get(m, "content"));
        }
        if (!strcmp(json_string_value(json_object_get(o, "kind")), "jinja")) {
            snprintf(path, sizeof path, "%s/real/tokenizers/llama.cpp-vocab/templates/%s.jinja",
                     shared ? shared : "../shared", name);
            assert_int_equal(file_read(path, 1 << 20, &template, &k, &e), 0);
            key = NULL;
        }
        assert_int_equal(chat_find(&f, key, template, &e), 0);
        const char *bos = json_string_value(json_object_get(o, "bos_token"));
        const char *eos = json_string_value(json_object_get(o, "eos_token"));
        const bool generate = json_is_true(json_object_get(o, "add_generation_prompt"));
        const int got = chat_render(&b, f, list, json_array_size(messages), generate, bos,
                                    eos ? eos : "", &e);
        if (want ? got || strcmp((char *)b.data, want) : !got && !(f->flags & CHAT_TOOLS)) {
            bad++;
            print_message("%s %s: %s\n", name,
                          json_string_value(json_object_get(o, "conversation")),
                          got ? e.text : (char *)b.data);
        }
        seen += want != NULL;
        free(template);
        buffer_free(&b);
        json_decref(o);
    }
    free(line);
    fclose(file);
    print_message("%d prompts, %d differ\n", seen, bad);
    assert_int_equal(bad, 0);
}

static void turns_in_a_wrong_order(void **state)
{
    static const struct {
        struct chat_message list[3];
        size_t count;
        const char *says;
    } rows[] = {
        {{{0}}, 0, "a conversation ends with a user's message"},
        {{{.role = "user"}, {.role = "assistant"}}, 2, "a conversation ends with a user's message"},
        {{{.role = "assistant"}}, 1, "message 0 of a conversation is not the user's"},
        {{{.role = "user", .text = "a"}, {.role = "user", .text = "b"}, {.role = "user"}}, 3,
         "message 1 of a conversation is not the assistant's"},
    };
    const struct chat_format *f;
    (void)state;
    assert_int_equal(chat_find(&f, NULL, NULL, &e), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer b = {0};
        assert_int_equal(chat_render(&b, f, rows[i].list, rows[i].count, true, NULL, NULL, &e), -1);
        if (!strstr(e.text, rows[i].says))
            fail_msg("said '%s', not '%s'", e.text, rows[i].says);
        buffer_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(turns_in_a_wrong_order),
        cmocka_unit_test(shared_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
