"""Paths to a setting, as `--set` and `pulumi config set --path` write them: `pools.train.size`, `labels["a.b/c"]`."""

import re

Path = tuple[str | int, ...]

_STEP = re.compile(r"""\.?(?P<key>[A-Za-z_][\w-]*)|\[(?P<index>\d+)\]|\["(?P<quoted>[^"]+)"\]""")


def path_text(path: Path) -> str:
    """A path as text."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif re.fullmatch(r"[A-Za-z_][\w-]*", key):
            text += f".{key}" if text else key
        else:
            text += f'["{key}"]'
    return text


def parse_path(text: str) -> Path:
    """Text as a path. Raises ValueError where it is none."""
    path: list[str | int] = []
    position = 0
    while not path or position < len(text):
        step = _STEP.match(text, position)
        if not step or (not path and text[0] in ".["):
            raise ValueError(f"'{text}' is not a path like pools.train.size")
        path.append(int(step["index"]) if step["index"] else step["key"] or step["quoted"])
        position = step.end()
    return tuple(path)
