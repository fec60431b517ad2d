# Vocabularies in older forms beside a checkpoint: vocab.json with merges.txt, tiktoken.
. tests/cli/lib.bash
make_model=$(realpath "$KICK_BUILD/tests/make-model") encode=$(realpath "$KICK_BUILD/tests/encode")
shared=$(realpath "$shared" 2>/dev/null || echo "$shared")
cd "$work" || exit 1
"$make_model" m --hidden 16 --intermediate 16 --layers 1 --heads 1 --kv-heads 1 --vocab 64 || exit 1
rm -f m/tokenizer*
ids() { kick-ingest-model -q m -o m.kick && printf '%s\n' "$@" | "$encode" m.kick 2>/dev/null | tr '\n' '|'; }

echo '{"a":0,"b":1,"ab":2,"Ġ":3,"Ġab":4,"1":5,"<|endoftext|>":6,"abab":7,"é":9,"Ã":10,"©":11}' >m/vocab.json
printf '#version: 0.2\na b\nĠ ab\nab ab\n' >m/merges.txt
check "merges, in their order" test "$(ids 'ab abab' 'a<|endoftext|>b' 'ba')" = "2 4 2|0 6 1|1 0|"
check "bytes of letters" test "$(ids 'é')" = "10 11|"
echo '{"<x>":8}' >m/added_tokens.json
check "added_tokens.json" test "$(ids 'a<x>b')" = "0 8 1|"
echo '{"tokenizer_class":"Qwen2TokenizerFast","bos_token":"<|endoftext|>"}' >m/tokenizer_config.json
check "another class cuts in another way: digits one by one" test "$(ids 'ab11')" = "2 5 5|"
echo '{"tokenizer_class":"WhisperTokenizer"}' >m/tokenizer_config.json
refuses "a class that is not known" 1 "WhisperTokenizer cuts text" kick-ingest-model m -o x.kick
rm m/tokenizer_config.json
printf 'a b c\n' >m/merges.txt
refuses "merges of three" 1 "merges.txt: line 1 is not two tokens" kick-ingest-model m -o x.kick
printf 'a z\n' >m/merges.txt
refuses "merges of no token" 1 "tokenizer.json" kick-ingest-model m -o x.kick
printf 'a b\n' >m/merges.txt
echo '{"a":0,"b":' >m/vocab.json
refuses "half a vocabulary" 1 "vocab.json" kick-ingest-model m -o x.kick
rm m/vocab.json
check "merges alone are no tokenizer" kick-ingest-model -q m -o x.kick
rm m/merges.txt m/added_tokens.json

printf 'IQ== 0\nIg== 1\nISI= 2\n' >m/tokenizer.model
refuses "tiktoken's form of an unknown vocabulary" 1 "a tiktoken vocabulary of 3 tokens" kick-ingest-model m -o x.kick
printf 'IQ== 0\nIg== 2\n' >m/tokenizer.model
refuses "ranks with a gap" 1 "line 2: ranks are not 0, 1, 2" kick-ingest-model m -o x.kick
printf 'IQ== 0\n?? 1\n' >m/tokenizer.model
refuses "no base64" 1 "line 2 is not a token in base64" kick-ingest-model m -o x.kick
if [ -e "$shared/real/tokenizers/llama3/tokenizer.model" ]; then
    cp "$shared/real/tokenizers/llama3/tokenizer.model" m
    check "Llama 3's" test "$(ids 'Hello world' '<|eot_id|>12345')" = "9906 1917|128009 4513 1774|"
else
    echo "skip Llama 3's vocabulary: no ../shared"
fi
