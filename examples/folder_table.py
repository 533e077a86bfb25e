"""One question of every image in a folder, one table (CSV) of what was found.

    python examples/folder_table.py photos out.csv "planes longer than 20 m" --gsd 0.3

One row a region; an image without any gets a row that says so, and one that cannot be read a row with its error.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import surveyor

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
COLUMNS = ("image", "status", "region", "label", "score", "length_m", "width_m", "reasons", "note")


def rows_of(photo: Path, query: str, gsd: float | None) -> Iterator[dict[str, object]]:
    """The rows of one image."""
    try:
        answer = surveyor.ask(photo, query, gsd=gsd)
    except surveyor.QueryError:
        raise  # the question is at fault, not the image: no use in going on
    except surveyor.UsageError as error:
        yield {"image": photo.name, "status": "not read", "note": str(error)}
        return
    told = answer.to_dict()
    regions = told["regions"] + [region for region in told["rejected"] if region["status"] == "undecided"]
    if not regions:
        yield {"image": photo.name, "status": "none", "note": answer.text}
    for region in regions:
        reasons = "; ".join(f"{words}: {reason}" for words, reason in region["reasons"].items())
        row = {name: region.get(name) for name in ("status", "label", "score", "length_m", "width_m")}
        yield {"image": photo.name, "region": region["id"], "reasons": reasons, **row}


def main() -> None:
    """Reads the command line, writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("table", type=Path, help="the CSV file to write")
    parser.add_argument("query")
    parser.add_argument("--gsd", type=float, help="metres a pixel, where the files do not say")
    args = parser.parse_args()
    photos = sorted(path for path in args.folder.iterdir() if path.suffix.lower() in SUFFIXES)
    with args.table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for photo in photos:
            rows = list(rows_of(photo, args.query, args.gsd))
            writer.writerows(rows)
            print(f"{photo.name}: {sum('region' in row for row in rows)} found")


if __name__ == "__main__":
    main()
