# Seeds of the fuzz targets: seeds DIRECTORY makes DIRECTORY/TARGET/…
frame() { # a frame as tests/fuzz/stream.c takes it: two bytes of length, content
    local n
    n=$(printf "$1" | wc -c)
    printf "\\$(printf %o $((n % 256)))\\$(printf %o $((n / 256)))"
    printf "$1"
}

seeds() {
    local dir=$1 t
    mkdir -p "$dir"/{stream,tensor,safetensors,text_input,config,checkpoint,tokenizer,model,pickle,zip,gguf,csv,harness,figure}
    "$KICK_BUILD/tests/make-model" "$dir/model" --hidden 8 --intermediate 16 --heads 2 --kv-heads 1 --vocab 8 --layers 1
    cp "$dir/model/config.json" "$dir/config/plain"
    for t in tests/data/models/*/config.json; do
        cp "$t" "$dir/config/$(basename "${t%/*}")"
    done
    sed 's/"rope_theta": 10000.0/"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128}/' \
        "$dir/model/config.json" >"$dir/config/llama3"
    cp "$dir/model/model.safetensors" "$dir/safetensors/model"
    printf '\002\0\0\0\0\0\0\0{}' >"$dir/safetensors/empty"
    for t in "-s 0.5" "-p 2:4" "-s 0"; do
        { printf '\0'; kick-ingest-model "$dir/model" | kick-prune-magnitude $t; } >"$dir/stream/pipe${t// /}"
    done
    kick-ingest-model "$dir/model" -o "$dir/m.kick"
    { printf '\0'; cat "$dir/m.kick" "$dir/m.kick"; } >"$dir/stream/files"
    {
        printf '\001'
        frame '{"kick":1,"stream":"text","id":"0","history":[]}\n'
        frame '{"a":1,"bytes":4,"planes":[[2,4]]}\nabcd'
        frame '{"tensor":"t","shape":[2,2],"values":"bf16","bytes":8}\nabcdefgh'
        frame '{"a":1}\n{"b":{"c":[1,2.5,null]}}\n'
        frame '{"end":true,"records":5,"xxh3":"00000000000000000000000000000000","input":null,"index":[0]}\n'
    } >"$dir/stream/frames"
    printf '{"tensor":"t","shape":[3,5],"values":"f32"}\n%060d' 0 >"$dir/tensor/f32"
    printf '{"tensor":"t","shape":[2,3],"values":"bf16","mask":"bitmap"}\n\003\004\0\0\0\0\0\0abcdef' >"$dir/tensor/bitmap"
    printf '{"tensor":"t","shape":[2,8],"values":"f16","mask":"nm","n":2,"m":4}\n\063\063\0\0\0\0\0\0%016d' 0 >"$dir/tensor/nm"
    printf '{"tensor":"t","shape":[2,6],"values":"int","bits":3,"group":4}\nabcdef\0\0%016dabcd' 0 >"$dir/tensor/int"
    printf '{"tensor":"t","shape":[2,6],"values":"int","bits":4,"group":3,"min":true,"g_idx":true}\nabcdef\0\0%016d%016d\0\0\0\0\001\0\0\0\0\0\0\0\001\0\0\0\0\0\0\0\001\0\0\0' 0 0 >"$dir/tensor/min"
    printf 'one\ntwo\r\n\nthree' >"$dir/text_input/plain"
    printf 'one\ntwo\r\n\nthree' | gzip >"$dir/text_input/gzip"
    cat "$dir/text_input/gzip" "$dir/text_input/gzip" >"$dir/text_input/members"
    printf 'one\ntwo\r\n\nthree' | zstd -qc >"$dir/text_input/zstd"
    for t in tests/data/tokenizer/*.model; do
        { printf '\0'; cat "$t"; } >"$dir/tokenizer/${t##*/}"
    done
    for t in tests/data/tokenizer/*.json; do
        { printf '\001'; cat "$t"; } >"$dir/tokenizer/${t##*/}"
    done
    {
        printf '\003{"a":0,"b":1,"ab":2,"\304\240":3,"\304\240ab":4,"<|endoftext|>":5}\0#version: 0.2\na b\n\304\240 ab\n'
        printf '\0{"<x>":6}\0{"tokenizer_class":"Qwen2Tokenizer","bos_token":"<|endoftext|>","add_bos_token":true}'
    } >"$dir/tokenizer/merges"
    printf '\002IQ== 0\nIg== 1\nISI= 2\n\0{"added_tokens_decoder":{"3":{"content":"<x>","special":true}}}' \
        >"$dir/tokenizer/tiktoken"
    for t in tests/data/packed/*/; do
        { cat "$t/config.json"; printf '\0\0\0\0'; cat "$t/model.safetensors"; } >"$dir/checkpoint/$(basename "$t")"
    done
    {
        cat "$dir/model/config.json"
        printf '\0{"eos_token_id":[1,2]}\0{"add_bos_token":true}\0{"weight_map":{"a":"model.safetensors"}}\0'
        cat "$dir/model/model.safetensors"
    } >"$dir/checkpoint/plain"
    cp tests/data/torch/*.bin "$dir/zip"
    cp tests/data/torch/old.bin "$dir/pickle"
    for t in tests/data/torch/{zip,protocol4,module}.bin; do # entries are stored: the pickle as it is
        unzip -p "$t" '*/data.pkl' >"$dir/pickle/${t##*/}"
    done
    cp tests/data/gguf/*.gguf "$dir/gguf"
    printf 'Is ""it""?,"a, ""b""\nc",no,"",None,C\r\n\nx,y\n' >"$dir/csv/quoted"
    printf 'a\tb "c"\t\n' >"$dir/csv/tabs"
    printf '%s' '{"results":{"arc":{"alias":"arc","acc,none":0.5,"acc_stderr,none":0.1,"exact_match,strict-match":0.25}},"versions":{"arc":1},"n-shot":{"arc":5},"n-samples":{"arc":{"effective":4}},"config":{"model":"hf","model_args":"pretrained=a"},"model_name":"a"}' >"$dir/harness/new"
    printf '%s' '{"results":{"boolq":{"acc":0.5,"acc_stderr":"N/A"}},"versions":{"boolq":1},"config":{"model":"hf"}}' >"$dir/harness/old"
    for t in reports/*/figure.json; do
        cp "$t" "$dir/figure/$(basename "${t%/*}")"
    done
    printf '%s' '{"title":"T","kind":"lines","y":{"column":"y","low":"low","high":"high","label":"Y"},"series":{"column":"series","order":["b","a"]},"panels":[{"title":"P","x":{"column":"x","scale":"log"},"where":{"column":"panel","equals":"p"}},{"title":"Q","x":{"column":"series","type":"category"},"where":{"column":"panel","equals":["q"]}}],"columns":[{"name":"y","label":"Y","decimals":2}]}' >"$dir/figure/lines"
    printf '%s' '{"title":"T","kind":"table","table":{"rows":["x"],"columns":"series","value":"y","low":"low","high":"high"}}' >"$dir/figure/table"
    rm -rf "$dir/model" "$dir/m.kick"
}
