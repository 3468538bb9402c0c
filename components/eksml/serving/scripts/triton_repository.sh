#!/bin/bash
# Lays out Triton's model repository and becomes Triton. It links the files where they are, so that nothing is copied,
# and configurations can be ours where the bucket cannot be written. A line of $CONFIGURATION/models is a model: its
# name, its backend, and the file that each of its versions has.
set -eu
models=${MODELS:-/models}
configuration=${CONFIGURATION:-/etc/server}
repository=${REPOSITORY:-/run/server/repository}
llm_api=${LLM_API:-/app/all_models/llmapi/tensorrt_llm}

# A container that starts again in its pod finds what it made before.
rm -rf "$repository"
mkdir -p "$repository"

fail() {
    echo "$1" >&2
    exit 1
}

while read -r name backend file; do
    folder=$repository/$name
    mkdir "$folder"
    if [ -e "$configuration/$name.$file" ]; then
        # A language model: its folder is made here, and its weights are where the file says.
        mkdir "$folder/1"
        ln -s "$configuration/$name.$file" "$folder/1/$file"
        if [ "$backend" = tensorrtllm ]; then
            [ -e "$llm_api/1/model.py" ] || fail "$name: this image has no $llm_api/1/model.py"
            ln -s "$llm_api"/1/*.py "$folder/1/"
            # The template says its own folder's name, which need not be said.
            grep -v '^name:' "$llm_api/config.pbtxt" > "$folder/config.pbtxt"
        fi
    else
        found=$(find -L "$models/$name" -mindepth 2 -maxdepth 2 -regex ".*/[0-9]+/[^/]+" -name "$file" -print -quit 2> /dev/null || true)
        [ -n "$found" ] || fail "$name: no $name/VERSION/$file in the model repository, where VERSION is a number"
        ln -s "$models/$name"/* "$folder/"
    fi
    if [ -e "$configuration/$name.pbtxt" ]; then
        ln -sf "$configuration/$name.pbtxt" "$folder/config.pbtxt"
    fi
done < "$configuration/models"

exec tritonserver --model-repository="$repository" "$@"
