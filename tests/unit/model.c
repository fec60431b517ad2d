/* Configurations and tensor names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"
#include "model.h"

#define BASE                                                                                       \
    "\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":172,"                       \
    "\"num_hidden_layers\":3,\"num_attention_heads\":8,\"vocab_size\":512"

static int parse(struct model *m, const char *text, struct error *e)
{
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    const int result = model_parse(m, j, e);
    json_decref(j);
    return result;
}

static void good(struct model *m, const char *text)
{
    struct error e = {0};
    if (parse(m, text, &e))
        fail_msg("%s: %s", text, e.text);
}

static void bad(const char *text, const char *says)
{
    struct model m;
    struct error e = {0};
    assert_int_equal(parse(&m, text, &e), -1);
    if (!strstr(e.text, says))
        fail_msg("%s: said \"%s\", not \"%s\"", text, e.text, says);
}

static void defaults(void **unused)
{
    (void)unused;
    struct model m;
    good(&m, "{" BASE "}");
    assert_string_equal(m.architecture, "llama");
    assert_int_equal(m.kv_heads, 8);
    assert_int_equal(m.head_dim, 8);
    assert_int_equal(m.positions, 2048);
    assert_false(m.tied);
    assert_int_equal(m.rope, ROPE_DEFAULT);
    assert_true(m.rope_theta == 10000);
    assert_int_equal(m.bos, -1);
    assert_int_equal(m.eos, -1);
    good(&m, "{" BASE ",\"head_dim\":null,\"num_key_value_heads\":4,\"eos_token_id\":[7,9],"
             "\"bos_token_id\":1,\"tie_word_embeddings\":true,\"max_position_embeddings\":131072}");
    assert_int_equal(m.kv_heads, 4);
    assert_int_equal(m.eos, 7);
    assert_int_equal(m.stops, 2);
    assert_int_equal(m.stop[1], 9);
    assert_int_equal(m.bos, 1);
    assert_true(m.tied);
    good(&m, "{" BASE ",\"head_dim\":16}");
    assert_int_equal(m.head_dim, 16);
}

static void rope(void **unused)
{
    (void)unused;
    struct model m;
    good(&m, "{" BASE ",\"rope_theta\":5e5,\"rope_scaling\":null}");
    assert_true(m.rope_theta == 5e5);
    good(&m, "{" BASE ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":4}}");
    assert_int_equal(m.rope, ROPE_LINEAR);
    assert_true(m.rope_factor == 4);
    good(&m, "{" BASE ",\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":3e4}}");
    assert_int_equal(m.rope, ROPE_DEFAULT);
    assert_true(m.rope_theta == 3e4);
    const char *llama3 = "\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,"
                         "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":64}}";
    char text[1024];
    snprintf(text, sizeof text, "{" BASE ",\"rope_theta\":5e5,\"rope_scaling\":{%s", llama3);
    good(&m, text);
    assert_int_equal(m.rope, ROPE_LLAMA3);
    assert_true(m.rope_original_positions == 64 && m.rope_high_freq == 4);
    snprintf(text, sizeof text, "{" BASE ",\"rope_parameters\":{\"rope_theta\":5e5,%s", llama3);
    good(&m, text);
    assert_true(m.rope_theta == 5e5 && m.rope == ROPE_LLAMA3);
    bad("{" BASE ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4}}", "\"yarn\"");
    bad("{" BASE ",\"rope_scaling\":{\"factor\":4}}", "(none)");
    bad("{" BASE ",\"rope_scaling\":{\"type\":\"linear\"}}", "factor");
    /* A set for each kind of layer: fine where they are the same. */
    good(&m, "{" BASE ",\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"linear\","
             "\"factor\":2,\"rope_theta\":7e4},\"sliding_attention\":{\"rope_type\":\"linear\","
             "\"factor\":2,\"rope_theta\":7e4}}}");
    assert_true(m.rope == ROPE_LINEAR && m.rope_theta == 7e4 && m.rope_factor == 2);
    bad("{" BASE ",\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"default\","
        "\"rope_theta\":7e4},\"sliding_attention\":{\"rope_type\":\"default\"}}}",
        "sliding_attention");
    bad("{" BASE ",\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"yarn\"}}}", "yarn");
    bad("{" BASE ",\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":4}}", "\"dynamic\"");
    bad("{" BASE ",\"rope_scaling\":{\"type\":\"longrope\"}}", "\"longrope\"");
    bad("{" BASE ",\"rope_theta\":0}", "rope_theta");
}

#define SIZES                                                                                      \
    "\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":4,"                            \
    "\"num_attention_heads\":4,\"vocab_size\":512"

static void refused(void **unused)
{
    (void)unused;
    bad("{}", "model_type");
    bad("{\"model_type\":\"mamba\"}", "\"mamba\" is not known; known are: llama, mistral, ");
    bad("{" BASE ",\"hidden_act\":\"tanh\"}", "hidden_act \"tanh\"");
    bad("{" BASE ",\"sliding_window\":4096}", "sliding_window");
    bad("{" BASE ",\"quantization_config\":{\"bits\":4}}", "quantization_config");
    bad("{" BASE ",\"layer_types\":[\"full_attention\",\"sliding_attention\","
        "\"full_attention\"]}",
        "layer_types[1]");
    bad("{" BASE ",\"layer_types\":[\"full_attention\"]}", "layer_types");
    bad("{" BASE ",\"num_key_value_heads\":3}", "multiple");
    bad("{" BASE ",\"head_dim\":7}", "odd");
    bad("{" BASE ",\"num_key_value_heads\":0}", "num_key_value_heads");
    bad("{\"model_type\":\"llama\",\"hidden_size\":65,\"intermediate_size\":172,"
        "\"num_hidden_layers\":3,\"num_attention_heads\":8,\"vocab_size\":512}",
        "multiple");
    bad("{\"model_type\":\"llama\",\"hidden_size\":64}", "intermediate_size");
    bad("{" BASE ",\"eos_token_id\":\"</s>\"}", "eos_token_id");
    bad("{" BASE ",\"rms_norm_eps\":-1}", "rms_norm_eps");
    bad("[]", "the config is not a JSON object");
    bad("{" BASE ",\"rope_scaling\":7}", "rope_scaling is not an object");
    bad("{" BASE ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,"
        "\"high_freq_factor\":4,\"original_max_position_embeddings\":64}}",
        "high_freq_factor 4 is not above low_freq_factor 4");
    bad("{" BASE ",\"rope_parameters\":{\"partial_rotary_factor\":0.5}}",
        "partial_rotary_factor 0.5: a llama model has 1");
    bad("{" BASE ",\"bos_token_id\":[1]}", "bos_token_id is a list");
    bad("{" BASE ",\"eos_token_id\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", "eos_token_id lists 17 ids");
    bad("{" BASE ",\"head_dim\":65536,\"num_attention_heads\":65536}", "is over 2^24");
    bad("{\"model_type\":\"phi\"," SIZES ",\"partial_rotary_factor\":2}", "partial_rotary_factor 2 is outside");
    bad("{\"model_type\":\"gemma2\"," SIZES ",\"query_pre_attn_scalar\":0}", "query_pre_attn_scalar is 0");
    bad("{\"model_type\":\"gemma2\"," SIZES ",\"final_logit_softcapping\":-1}",
        "final_logit_softcapping -1 is outside 0..1e9");
    bad("{\"model_type\":\"mistral\",\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":60000,"
        "\"num_attention_heads\":8,\"vocab_size\":512}", "num_hidden_layers 60000: with a sliding window");
    bad("{\"model_type\":\"qwen2_moe\",\"moe_intermediate_size\":8,\"num_key_value_heads\":4," SIZES ",\"decoder_sparse_step\":2}",
        "decoder_sparse_step or mlp_only_layers");
    bad("{\"model_type\":\"qwen2_moe\",\"moe_intermediate_size\":8,\"num_key_value_heads\":4," SIZES ",\"qkv_bias\":false}",
        "qkv_bias is false");
    bad("{\"model_type\":\"falcon\"," SIZES ",\"new_decoder_architecture\":true,\"num_kv_heads\":3}",
        "num_attention_heads 4 is not a multiple of num_kv_heads 3");
}

/* What only some families read, and what is there where the config is silent. */
static void switches(void **unused)
{
    (void)unused;
    struct model m;
    good(&m, "{\"model_type\":\"mistral\"," SIZES ",\"num_key_value_heads\":2}");
    assert_int_equal(m.window, 4096);
    assert_int_equal(model_layer_window(&m, 3), 4096);
    good(&m, "{\"model_type\":\"mistral\"," SIZES
             ",\"num_key_value_heads\":null,\"sliding_window\":null}");
    assert_int_equal(m.window, 0);
    assert_int_equal(m.kv_heads, 4);
    bad("{\"model_type\":\"mistral\"," SIZES "}", "num_key_value_heads 8");
    good(&m, "{\"model_type\":\"qwen2\"," SIZES ",\"num_key_value_heads\":2,\"sliding_window\":9,"
             "\"use_sliding_window\":true,\"max_window_layers\":2}");
    assert_int_equal(model_layer_window(&m, 1), 0);
    assert_int_equal(model_layer_window(&m, 2), 9);
    good(&m, "{\"model_type\":\"qwen2\"," SIZES ",\"num_key_value_heads\":2,\"sliding_window\":9,"
             "\"use_sliding_window\":false,\"max_window_layers\":2}");
    assert_int_equal(m.window, 0);
    good(&m, "{\"model_type\":\"gemma2\"," SIZES ",\"sliding_window\":9}");
    assert_int_equal(m.head_dim, 256);
    assert_true(m.attention_cap == 50 && m.final_cap == 30 && m.tied && m.embedding_scale == 8);
    assert_true(m.attention_scale == 1.0 / 16);
    assert_int_equal(model_layer_window(&m, 0), 9);
    assert_int_equal(model_layer_window(&m, 1), 0);
    good(&m, "{\"model_type\":\"gemma2\"," SIZES ",\"sliding_window\":9,\"layer_types\":["
             "\"full_attention\",\"full_attention\",\"sliding_attention\",\"full_attention\"],"
             "\"attn_logit_softcapping\":null,\"final_logit_softcapping\":7,"
             "\"query_pre_attn_scalar\":4,\"num_key_value_heads\":1,\"head_dim\":10}");
    assert_true(m.attention_cap == 0 && m.final_cap == 7 && m.attention_scale == 0.5);
    assert_int_equal(model_layer_window(&m, 0), 0);
    assert_int_equal(model_layer_window(&m, 2), 9);
    bad("{\"model_type\":\"gemma2\"," SIZES ",\"use_bidirectional_attention\":true}",
        "use_bidirectional_attention");
    good(&m, "{\"model_type\":\"gpt_neox\"," SIZES ",\"rotary_pct\":0.5,\"rotary_emb_base\":5000}");
    assert_int_equal(m.rotary, 8);
    assert_true(m.rope_theta == 5000 && m.place == PLACE_PARALLEL && m.attention_bias);
    good(&m, "{\"model_type\":\"gpt_neox\"," SIZES ",\"use_parallel_residual\":false,"
             "\"rope_parameters\":{\"rope_theta\":7000,\"partial_rotary_factor\":1.0}}");
    assert_int_equal(m.rotary, 16);
    assert_true(m.rope_theta == 7000 && m.place == PLACE_BEFORE);
    bad("{\"model_type\":\"gpt_neox\"," SIZES ",\"rotary_pct\":0.2}", "pairs");
    good(&m, "{\"model_type\":\"gpt2\",\"n_embd\":64,\"n_layer\":2,\"n_head\":4,"
             "\"vocab_size\":9,\"n_inner\":null}");
    assert_int_equal(m.intermediate, 256);
    assert_int_equal(m.positions, 1024);
    assert_int_equal(m.rotary, 0);
    assert_true(model_tensor_transposed(&m, ROLE_QKV) && !model_tensor_transposed(&m, ROLE_HEAD));
    good(&m, "{\"model_type\":\"opt\"," SIZES ",\"ffn_dim\":96,\"do_layer_norm_before\":false,"
             "\"word_embed_proj_dim\":24}");
    assert_true(m.place == PLACE_AFTER && !m.final_norm && m.width == 24);
    assert_int_equal(model_tensor_count(&m), 3 + 4 * 16 + 1);
    good(&m, "{\"model_type\":\"mixtral\"," SIZES ",\"num_key_value_heads\":2,"
             "\"num_local_experts\":3}");
    assert_int_equal(m.experts_used, 2);
    assert_int_equal(model_tensor_count(&m), 3 + 4 * (7 + 9));
    assert_int_equal(model_projections(&m), 4 * (4 + 9));
    bad("{\"model_type\":\"mixtral\"," SIZES ",\"num_key_value_heads\":2,\"num_local_experts\":1}",
        "num_experts_per_tok");
    bad("{\"model_type\":\"mixtral\"," SIZES ",\"num_key_value_heads\":2,"
        "\"partial_rotary_factor\":0.5}",
        "partial_rotary_factor");
}

/* Every tensor of every family: its usual name leads back to its role, layer and expert. */
static void all_names(void **unused)
{
    (void)unused;
    static const char *const types[] = {"llama", "mistral", "mixtral", "qwen2",    "qwen3",
                                        "phi3",  "gemma2",  "opt",     "gpt_neox"};
    char text[512];
    for (size_t t = 0; t < 9; t++) {
        struct model m;
        snprintf(text, sizeof text,
                 "{\"model_type\":\"%s\"," SIZES ",\"ffn_dim\":96,\"num_key_value_heads\":2%s}",
                 types[t], strcmp(types[t], "mixtral") ? "" : ",\"num_local_experts\":12");
        good(&m, text);
        size_t last_layer = 0, last_expert = 0;
        for (size_t i = 0; i < model_tensor_count(&m); i++) {
            enum model_role want, got;
            size_t layer, at;
            char name[128];
            struct error e = {0};
            model_tensor_at(&m, i, &want, &layer, name, sizeof name);
            if (model_tensor_role(&m, name, &got, &at, &e))
                fail_msg("%s", e.text);
            assert_int_equal(got, want);
            assert_int_equal(at, layer);
            assert_true(model_role_is_before(want) == (i < model_tensors_before(&m)));
            if (m.experts && want == ROLE_EXPERT_UP) {
                assert_int_equal(model_tensor_expert(name),
                                 layer == last_layer ? last_expert + 1 : 0);
                last_expert = model_tensor_expert(name);
                last_layer = layer;
            } else if (want == ROLE_ROUTER) {
                last_layer = SIZE_MAX;
            }
        }
        if (m.experts)
            assert_int_equal(last_expert, 11);
    }
}

static void role(const struct model *m, const char *name, enum model_role want, size_t layer)
{
    enum model_role got;
    size_t at;
    struct error e = {0};
    if (model_tensor_role(m, name, &got, &at, &e))
        fail_msg("%s", e.text);
    assert_int_equal(got, want);
    assert_int_equal(at, layer);
}

static void no_role(const struct model *m, const char *name)
{
    enum model_role got;
    size_t at;
    struct error e = {0};
    assert_int_equal(model_tensor_role(m, name, &got, &at, &e), -1);
    assert_non_null(strstr(e.text, name));
}

static void names(void **unused)
{
    (void)unused;
    struct model m;
    good(&m, "{" BASE "}");
    role(&m, "model.embed_tokens.weight", ROLE_EMBEDDING, 0);
    role(&m, "embed_tokens.weight", ROLE_EMBEDDING, 0);
    role(&m, "model.layers.2.mlp.down_proj.weight", ROLE_DOWN, 2);
    role(&m, "layers.1.self_attn.q_proj.weight", ROLE_Q, 1);
    role(&m, "model.layers.0.self_attn.rotary_emb.inv_freq", ROLE_IGNORED, 0);
    role(&m, "lm_head.weight", ROLE_HEAD, 0);
    no_role(&m, "model.layers.3.mlp.down_proj.weight");
    no_role(&m, "model.layers.02.mlp.down_proj.weight");
    no_role(&m, "model.layers..mlp.down_proj.weight");
    no_role(&m, "model.layers.99999999999999999999.mlp.down_proj.weight");
    no_role(&m, "model.layers.1.mlp.down_proj.bias");
    no_role(&m, "model.layers.1.mlp.down_proj.weight2");
    no_role(&m, "model.lm_head.weight");
    no_role(&m, "");
    good(&m, "{" BASE ",\"tie_word_embeddings\":true,\"attention_bias\":true,\"mlp_bias\":true}");
    role(&m, "lm_head.weight", ROLE_IGNORED, 0);
    role(&m, "model.layers.1.mlp.down_proj.bias", ROLE_DOWN_BIAS, 1);
    role(&m, "model.layers.1.self_attn.o_proj.bias", ROLE_O_BIAS, 1);
}

static void order(void **unused)
{
    (void)unused;
    static const char *const configs[] = {
        "{" BASE "}",
        "{" BASE ",\"tie_word_embeddings\":true}",
        "{" BASE ",\"attention_bias\":true,\"mlp_bias\":true}",
    };
    static const size_t counts[] = {3 + 9 * 3, 2 + 9 * 3, 3 + 16 * 3};
    for (size_t c = 0; c < 3; c++) {
        struct model m;
        good(&m, configs[c]);
        assert_int_equal(model_tensor_count(&m), counts[c]);
        size_t last = 0;
        for (size_t i = 0; i < counts[c]; i++) {
            char name[128];
            enum model_role want;
            size_t layer;
            model_tensor_at(&m, i, &want, &layer, name, sizeof name);
            role(&m, name, want, layer);
            if (i == 0)
                assert_int_equal(want, ROLE_EMBEDDING);
            if (layer) {
                assert_true(layer >= last);
                last = layer;
            }
        }
        char name[128];
        enum model_role want;
        size_t layer;
        model_tensor_at(&m, counts[c] - 1, &want, &layer, name, sizeof name);
        assert_int_equal(want, m.tied ? ROLE_FINAL_NORM : ROLE_HEAD);
    }
}

static void shapes(void **unused)
{
    (void)unused;
    struct model m;
    struct error e = {0};
    good(&m, "{" BASE ",\"num_key_value_heads\":4}");
    const size_t q[] = {64, 64}, k[] = {32, 64}, down[] = {64, 172}, norm[] = {64};
    assert_int_equal(model_tensor_check(&m, ROLE_Q, "q", 2, q, &e), 0);
    assert_int_equal(model_tensor_check(&m, ROLE_K, "k", 2, k, &e), 0);
    assert_int_equal(model_tensor_check(&m, ROLE_K, "k", 2, q, &e), -1);
    assert_int_equal(model_tensor_check(&m, ROLE_DOWN, "d", 2, down, &e), 0);
    assert_int_equal(model_tensor_check(&m, ROLE_FINAL_NORM, "n", 1, norm, &e), 0);
    assert_int_equal(model_tensor_check(&m, ROLE_FINAL_NORM, "n", 2, q, &e), -1);
    assert_true(model_role_is_projection(ROLE_GATE) && !model_role_is_projection(ROLE_HEAD));
    const size_t block = 2 * 64 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 172 * 64;
    assert_int_equal(model_parameters(&m, true), 3 * block + 64);
    assert_int_equal(model_parameters(&m, false), 3 * block + 64 + 2 * 512 * 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults), cmocka_unit_test(rope),  cmocka_unit_test(refused),
        cmocka_unit_test(names),    cmocka_unit_test(order), cmocka_unit_test(shapes),
        cmocka_unit_test(switches), cmocka_unit_test(all_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
