# GGUF files that export-gguf writes, in gguf-py and in llama.cpp. PYTHON: one that has the packages gguf,
# numpy and cyllama (llama.cpp with its plain interface).
. tests/cli/lib.bash
python=${PYTHON:-python3}
if ! "$python" -c 'import gguf, numpy' 2>/dev/null; then
    echo "skip export-gguf: $python has no package gguf"
    exit 0
fi
models=$(ls -d tests/data/models/*/ "$shared"/goldens/models/*/ 2>/dev/null)
"$python" tests/long/export-gguf.py "$KICK_BUILD/bin" "$work" "$shared" $models
