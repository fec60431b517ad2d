# Tokenizers on 10,000 lines against the packages that define them. PYTHON: one that has them.
. tests/cli/lib.bash
need "$shared/real/tokenizers" "tokenizers"
python=${PYTHON:-python3}
command -v "$python" >/dev/null || { echo "skip tokenizers: no $python"; exit 0; }
"$python" tests/long/tokenizer_lines.py "$KICK_BUILD/bin" "$KICK_BUILD/tests" "$work" "$shared"
