# Streams that are whole but wrong (tests/tools/restream.c makes them), and what else programs refuse once
# they run: every row is exit 1 or 2 and one line with these words.
. tests/cli/lib.bash
. tests/fault/runs.bash
fixtures >"$work/log" 2>&1 || { echo "not ok small runs"; cat "$work/log"; exit 1; }
restream=$(realpath "$KICK_BUILD/tests/restream") make_model=$(realpath "$KICK_BUILD/tests/make-model")
models=$PWD/tests/data/models tokenizer=$PWD/tests/data/tokenizer figure=$PWD/reports/figure-1-perplexity
cd "$work/f" || exit 1
{
    kick-ingest-model shards -o s.kick
    kick-quantize-int8 m.kick -o i.kick
    kick-quantize-rtn m.kick -o q.kick
    kick-ingest-model "$models/qwen2_window" -o bias.kick # has biases
    kick-ingest-model "$models/qwen3_moe_v5" -o moe.kick
    kick-ingest-model "$models/opt" -o opt.kick
    kick-ingest-model "$models/phi" -o phi.kick # 33 tensors
    "$make_model" narrow --layers 1 --hidden 16 --intermediate 16 --heads 2 --kv-heads 1 --vocab 32
    cp "$tokenizer/bytes.json" narrow/tokenizer.json # which has 340 ids
    kick-ingest-model narrow -o narrow.kick
} 2>"$work/log" || { echo "not ok streams"; cat "$work/log"; exit 1; }
printf '1 2 3\n' | kick-ingest-text -f ids -o few.kick
printf '\377' >latin
printf 'a\0b' >nul
: >empty
printf '\x28\xb5\x2f\xfdgarbage here and more' >bad.zst
head -c 30 t.txt.zst >cut.zst
mkdir -p nothing stories/a
ln -s nowhere stories/a/x.story
cp -r "$figure" figure
echo '{"results":{"a":7}}' >no-object.json
echo '{"item":"1","prompt":"x","aliases":[7]}' >aliases.jsonl
echo '{"results":{}}' >no-results.json

# Which stream | how it is edited, into x.kick | exit | the command | the words. Records of m.kick: 0 the
# tokenizer, 1 the embedding, 2 a norm, 3 to 6 q, k, v, o, 7 a norm, 8 to 10 gate, up, down, 11 the last
# norm, 12 the head.
seen=0
while IFS='|' read -r from edits status command says; do
    [ -n "$from" ] || continue
    read -ra edits <<<"$edits"
    read -ra command <<<"$command"
    read -r from <<<"$from"
    read -r status <<<"$status"
    says=${says# }
    rm -f x.kick
    [ "$from" = - ] || "$restream" "$from.kick" x.kick "${edits[@]}" || echo "not ok restream $from ${edits[*]}"
    refuses "$from ${edits[*]}: kick $(printf '%q ' "${command[@]}")" "$status" "$says" "kick-${command[@]:0:1}" "${command[@]:1}"
    seen=$((seen + 1))
done <<'END'
m | order=0,0,1 | 1 | eval-perplexity -d c.kick x.kick | x.kick: has two tokenizers
m | order=0,1,2 | 1 | eval-perplexity -d c.kick x.kick | x.kick: has 2 of the model's 12 tensors
m | order=0,2,1 | 1 | eval-perplexity -d c.kick x.kick | model.layers.0.input_layernorm.weight: the tensors are not in forward order
m | order=0,1,1 | 1 | eval-perplexity -d c.kick x.kick | model.embed_tokens.weight: the tensors are not in forward order, model.layers.0.input_layernorm.weight comes first
m | order=0,1,2,3,3 | 1 | eval-perplexity -d c.kick x.kick | q_proj.weight: the tensor is there twice
m | order=0-11,11 | 1 | eval-perplexity -d c.kick x.kick | model.norm.weight: the tensor is there twice
m | order=0-12,12 | 1 | eval-perplexity -d c.kick x.kick | lm_head.weight: the tensor is there twice
m | order=0,1,1 | 1 | generate -d t.kick x.kick | model.embed_tokens.weight: the tensor is there twice
m | order=0-11,11 | 1 | generate -d t.kick x.kick | model.norm.weight: the tensor is there twice
m | order=0,1,1 | 1 | prune-wanda -c c.kick x.kick -o o | the tensors are not in forward order, model.layers.0.input_layernorm.weight comes first
m | order=0,2,1 | 1 | prune-wanda -c c.kick x.kick -o o | model.layers.0.input_layernorm.weight: the tensors are not in forward order
m | order=0,1,2,3 | 1 | prune-wanda -c c.kick x.kick -o o | x.kick: has 0 of the model's 1 blocks
m | order=0,1,2 | 1 | prune-magnitude x.kick -o o | x.kick: holds no projection matrix
bias | order=0,1,3 | 1 | eval-perplexity -d few.kick x.kick | q_proj.bias: the bias comes before its matrix
bias | 3={"shape":[6,2]} | 1 | eval-perplexity -d few.kick x.kick | tensor model.layers.0.self_attn.q_proj.bias
opt | order=0,0 | 1 | eval-perplexity -d few.kick x.kick | the tensors are not in forward order
m | 1~c07f | 1 | eval-perplexity -d c.kick x.kick | x.kick: layer 0: the attention's output is not finite in sequence 0, row 0
m | 9~c07f | 1 | prune-wanda -c c.kick x.kick -o o | x.kick: layer 0: the MLP's inner activation is not finite
m | 10~7f7f7fff | 1 | quantize-gptq -c c.kick x.kick -o o | down_proj.weight: the compressed matrix is not finite
m | 12~c07f | 1 | generate -d t.kick x.kick | the logits are not finite; the final norm or the head is damaged
phi | order=0-30,30 | 1 | eval-perplexity -d few.kick x.kick | model.final_layernorm.bias: the tensor is there twice
moe | order=0-12,12 | 1 | eval-perplexity -d few.kick x.kick | experts.0.down_proj.weight: the tensor is there twice
moe | 11~807f807f | 1 | eval-perplexity -d few.kick x.kick | layer 0, expert 0: the MLP's inner activation is not finite
m | 3~c07f | 1 | prune-magnitude x.kick -o o | q_proj.weight: row 0 is not finite; repair the checkpoint
m | 3~c07f | 1 | export-gguf x.kick -o o.gguf | q_proj.weight: row 0 is not finite in BF16
m | 4={"tensor":"model.layers.0.mlp.x.weight"} | 1 | prune-magnitude x.kick -o o | a llama model has no tensor of this name
m | 4={"shape":"x"} | 1 | prune-magnitude x.kick -o o | k_proj.weight: "shape" is not a list of 1 to 8 sizes
m | 4={"values":"f9"} | 1 | prune-magnitude x.kick -o o | k_proj.weight: "values" is 'f9', which this version does not know
m | 4<100 | 1 | prune-magnitude x.kick -o o | k_proj.weight: its 100 bytes are too few for its shape
m | 4={"must":["y"]} | 1 | prune-magnitude x.kick -o o | a record needs "y", which this version does not understand
i | 3={"activation":"int4"} | 1 | prune-magnitude x.kick -o o | its "activation" is none that this version knows
i | 3={"threshold":-1} | 1 | eval-perplexity -d c.kick x.kick | its "activation" is none that this version knows
i | 3={"bits":4} | 1 | eval-perplexity -d c.kick x.kick | int8 activations need 8 bits
m | 0={"tokenizer":"x"} | 1 | eval-perplexity -d c.kick x.kick | x.kick: its tokenizer: tokenizer kind 'x' is not known
m | header={"config":7} | 1 | eval-perplexity -d c.kick x.kick | x.kick: its config: the config is not a JSON object
m | header={"config":7} | 1 | prune-wanda -c c.kick x.kick -o o | x.kick: its config: the config is not a JSON object
m | header={"config":7} | 1 | prune-magnitude x.kick -o o | x.kick: its config: the config is not a JSON object
c | 1={"ids":[1,"x"]} | 1 | eval-perplexity -d x.kick m.kick | x.kick: row 1: entry 1 is not a token id
c | 1-ids | 1 | eval-perplexity -d x.kick m.kick | x.kick: record 1 has neither "text" nor "ids"
c | 1={"text":"a"} 1-ids | 1 | eval-perplexity -d x.kick m.kick | x.kick: record 1: texts and rows of ids are mixed
c | order= | 1 | eval-perplexity -d x.kick m.kick | x.kick: holds no document
c | 1={"ids":[1,400]} | 1 | eval-perplexity -d x.kick m.kick | row 1: id 400 is outside the model's vocabulary of 340
c | 1={"ids":[1]} | 1 | eval-perplexity -d x.kick m.kick | row 1 has 1 ids; it needs 2
t | 0={"text":"a"} | 1 | eval-perplexity -l 8 -d x.kick m.kick | do not fill a window
t | | 1 | prune-wanda -c x.kick s.kick -o o | the model came without a tokenizer, which texts need
t | | 1 | prune-wanda -l 300 -c x.kick m.kick -o o | documents has 301 tokens; use a smaller -l
t | | 2 | prune-wanda -l 600 -c x.kick m.kick -o o | -l 600 is over the model's 512 positions
t | | 1 | eval-perplexity -l 4 -d x.kick narrow.kick | the tokenizer gives id 278, outside the model's vocabulary of 32
t | | 1 | prune-wanda -l 4 -n 2 -c x.kick narrow.kick -o o | the tokenizer gives id 278, outside the model's vocabulary of 32
fb | | 1 | eval-factoid -d x.kick narrow.kick | outside the model's vocabulary of 32
mt | | 1 | eval-chat -d x.kick narrow.kick | outside the model's vocabulary of 32
fb | 0={"item":7} | 1 | eval-factoid -d x.kick m.kick | x.kick: an item's name is not text
fb | order=1 | 1 | eval-factoid -d x.kick m.kick | x.kick: holds no item
fb | 0={"question":""} | 1 | eval-factoid --prompt empty -d x.kick m.kick | item q1: the prompt is empty
mmlu | 0-rows | 1 | eval-choice -d x.kick m.kick | x.kick: the shots of "anatomy" are not complete
mmlu | | 1 | eval-factoid -d x.kick m.kick | x.kick: holds items of the task "choice", not "factoid"
m | 0={"settings":"{\"chat_template\":[{\"name\":\"tool\"}]}"} | 1 | eval-chat -d mt.kick x.kick | none of the tokenizer's chat templates is "default"
summary | order=1 | 1 | judge-request -d cnn.kick x.kick | x.kick: holds no item
summary | header={"judge":"x"} | 1 | judge-request -d cnn.kick x.kick | x.kick: holds a judge's scores, not answers
choice-m | | 1 | judge-request -d cnn.kick x.kick | holds results of the task "choice"; judges read those of summary and chat
m | order=0,1,2,3,5 | 1 | ingest-model --method x --of x.kick model -o o | k_proj.weight: the dense model has model.layers.0.self_attn.v_proj.weight here
m | order=0-12,12 | 1 | ingest-model --method x --of x.kick model -o o | lm_head.weight: only the dense model has it
s | | 1 | ingest-model --method x --of x.kick model -o o | a llama model of 1 layers, 8 wide, with 16 ids, is not what
- | | 1 | export-hf --results ppl-p.kick m.kick -o oo | ppl-p.kick: holds a result of another model
- | | 1 | export-hf m.kick -o model | model: is there already; name a new directory
- | | 1 | eval-factoid -d fb.kick s.kick | s.kick: the model came without a tokenizer, which tasks need
- | | 1 | eval-factoid --prompt latin -d fb.kick m.kick | latin: a prompt must be UTF-8 text
- | | 2 | eval-factoid m.kick | -d DATA is needed: a task stream of the task "factoid"
- | | 2 | eval-factoid -d - m.kick | the task stream cannot come from standard input; name its file
- | | 2 | eval-perplexity -d - m.kick | the data stream cannot come from standard input; name its file
- | | 2 | eval-chat --template nope -d mt.kick m.kick | --template nope: there is no such chat format
- | | 1 | generate m.kick --prompt= | the prompt is empty
- | | 2 | prune-wanda m.kick -o o | -c is needed: a file with a text stream to calibrate on
- | | 2 | prune-wanda --resume -c c.kick m.kick | --resume needs -o FILE
- | | 2 | prune-wanda -s 0.5 -p 2:4 -c c.kick m.kick -o o | -s and -p exclude each other
- | | 2 | prune-sparsegpt --block 17 -c c.kick m.kick -o o | --block 17 is not a multiple of 16
- | | 1 | quantize-gptq -c c.kick q.kick -o o | q_proj.weight: is quantized already; quantize-gptq needs float weights
- | | 1 | prune-magnitude --sparsity-map nul m.kick -o o | nul: is not a text
- | | 1 | analyze-load -D x.db no-object.json | no-object.json: results.a is no object
- | | 1 | analyze-load -D x.db no-results.json | is neither a result stream nor a result file of lm-evaluation-harness
- | | 1 | analyze-load -D x.db /proc/sys/vm/compact_memory | compact_memory: Permission denied
- | | 2 | render-table --lm-eval x -f csv -D r.db | no FOLDER, no -o, no -f
- | | 1 | render-table --lm-eval /proc/x -D r.db | /proc/x: No such file
- | | 1 | render-table --lm-eval nul -D r.db | nul/llama-13K: Not a directory
- | | 2 | render-chart figure -o o.svg | the database is missing: -D FILE
- | | 2 | render-page figure -o o.html | the database is missing: -D FILE
- | | 2 | render-table figure | the database is missing: -D FILE
- | | 2 | render-workbook figure -o o.xlsx | the database is missing: -D FILE
- | | 2 | render-chart -D r.db -o o.svg | one figure folder, please: 0 were given
- | | 2 | render-chart -D r.db figure -o o.gif | o.gif: the name tells no format: use .svg, .pdf or .png, or -f
- | | 2 | render-chart -D r.db figure | standard output: the name tells no format
- | | 2 | render-table -D r.db -f csv | csv holds one table: name one figure folder
- | | 2 | render-table -D r.db -f methods figure | methods are of the whole database: no folders, please
- | | 1 | render-table -D r.db nothing | nothing/figure.json: cannot open it
- | | 1 | render-page -D r.db --reports empty -o o.html | empty: no such folder of figures
- | | 1 | render-workbook -D r.db --reports nothing -o o.xlsx | nothing holds no folder with a figure.json
- | | 1 | render-chart --dpi 1200 --width 40 -D r.db figure -o o.png | at most 32000 each way
- | | 1 | ingest-text bad.zst -o o | bad.zst: damaged zstd data
- | | 1 | ingest-text cut.zst -o o | cut.zst: truncated: its compressed data ends too early
- | | 1 | ingest-text /dev/null -o o | /dev/null: is not a file
- | | 1 | ingest-cnndm stories | stories/a/x.story: cannot open it: No such file
moe | 17~c07f | 1 | prune-wanda -c few.kick x.kick -o o | experts.2.up_proj.weight: row 0 is not finite; repair the checkpoint
- | | 1 | ingest-mmlu nothing | nothing/test: cannot list it: No such file
- | | 1 | ingest-tasks aliases.jsonl | line 1: it has no text or list of texts under "aliases"
- | | 2 | prune-magnitude --mem-max 1Q m.kick -o o | --mem-max: '1Q' is not a size such as 512M or 2G
- | | 2 | prune-magnitude -Z m.kick -o o | unknown option -Z
- | | 1 | ingest-cnndm nothing | nothing: holds no .story file
- | | 1 | ingest-cnndm empty | there is no item in the input
END
refuses "a prompt longer than the positions" 1 "ids; the model has 512 positions" kick-generate --prompt "$(printf 'a %.0s' {1..900})" m.kick
refuses "a date of no calendar" 1 "pdf: 99999999999999999 is no date (SOURCE_DATE_EPOCH)" \
    env SOURCE_DATE_EPOCH=99999999999999999 kick-render-chart -D r.db figure -o o.pdf
fonts() { printf '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>%s</fontconfig>' "$1" >fonts.conf; }
fonts ""
refuses "no font" 1 "no font at all is installed" env FONTCONFIG_FILE="$PWD/fonts.conf" kick-render-chart -D r.db figure -o o.svg
other=$(fc-list -f '%{file}\n' 2>/dev/null | grep -vi dejavu | grep -m1 '[.][ot]tf$')
if [ -n "$other" ]; then
    mkdir fonts && cp "$other" fonts
    fonts "<dir>$PWD/fonts</dir><cachedir>$PWD/fonts</cachedir>"
    refuses "another font" 1 "is not installed (" env FONTCONFIG_FILE="$PWD/fonts.conf" kick-render-chart -D r.db figure -o o.svg
else
    echo "skip another font: DejaVu is the only one"
fi
# On a terminal: no operand, and a binary output.
if command -v script >/dev/null; then
    on_terminal() { script -qec "$1" /dev/null </dev/null | tr -d '\r' | grep -qF -- "$2"; }
    check "nothing to read on a terminal" on_terminal kick-prune-magnitude "nothing to read: name a file, or use it in a pipe"
    check "no binary for a terminal" on_terminal "kick-prune-magnitude m.kick" "the output is binary and standard output is a terminal"
else
    echo "skip terminals: no script"
fi
[ "$seen" -gt 80 ] || echo "not ok only $seen rows were read"
check "nothing is left under the names" test ! -e o -a ! -e oo -a ! -e o.gguf
