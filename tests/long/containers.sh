# Checkpoints in every container that torch and transformers write against transformers' own numbers. PYTHON:
# one that has both.
. tests/cli/lib.bash
python=${PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, safetensors' 2>/dev/null; then
    echo "skip containers: $python has no torch or no transformers"
    exit 0
fi
"$python" tests/long/containers.py "$KICK_BUILD/bin" "$work" 2>"$work/log" || { echo "not ok containers"; tail -5 "$work/log"; }
