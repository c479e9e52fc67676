"""Malformed series, texts and forecasting tables, by recipe and name: file name, content and settings."""

HEADER = "@problemName x\n@timeStamps false\n@univariate true\n@classLabel true a b\n@data\n"
ROWS = "".join(f"{i}.5,{i % 3},2,1:{'ab'[i % 2]}\n" for i in range(24))
TS = {
    "good": HEADER + ROWS,
    "no_data": HEADER,
    "no_header": ROWS,
    "empty": "",
    "at": "@",
    "ats": "@\n" * 500,
    "data_line_only": "@data\n",
    "no_label": HEADER + "1,2,3\n" * 24,
    "empty_label": HEADER + "1,2,3:\n" * 24,
    "empty_series": HEADER + ":a\n:b\n" * 12,
    "colons": HEADER + ":" * 5000 + "\n",
    "commas": HEADER + "," * 5000 + ":a\n",
    "ragged": HEADER + ROWS + "1:a:b:a\n",
    "text_value": HEADER + ROWS + "1,x,2:a\n",
    "large": HEADER + ROWS.replace("2", "1e308"),
    "too_large": HEADER + ROWS.replace("2", "1e999"),
    "missing": HEADER + ROWS.replace("2", "?"),
    "all_missing": HEADER + "?,?,?:a\n?,?,?:b\n" * 12,
    "infinite": HEADER + ROWS.replace("2", "inf"),
    "nan_word": HEADER + ROWS.replace("2", "NaN"),
    "timestamps": HEADER.replace("@timeStamps false", "@timeStamps true") + ROWS,
    "dims": "@dimensions 99\n" + HEADER + ROWS,
    "dims_word": "@dimensions x\n" + HEADER + ROWS,
    "label_script": HEADER + ROWS.replace(":a", ":<script>"),
    "label_parent_path": HEADER + ROWS.replace(":a", ":../../x"),
    "unknown": "@what ever\n" + HEADER + ROWS,
    "length": "@seriesLength -1\n@equalLength true\n" + HEADER + ROWS,
    "one_series": HEADER + "1,2,3:a\n",
    "one_class": HEADER + "1,2,3:a\n" * 24,
    "one_step": HEADER + "1:a\n2:b\n" * 12,
    "lengths": HEADER + "1:a\n" + "1,2,3,4,5,6,7,8,9:b\n" * 23,
    "long": HEADER + ROWS + "1," * 30_000 + "1:a\n",
    "nul": HEADER + ROWS.replace("2", "\0"),
    "binary": bytes(range(256)) * 9,
    "utf16": (HEADER + ROWS).encode("utf-16"),
    "underscores": HEADER + ROWS.replace("2", "1_0"),
    "regression": HEADER.replace("classLabel true a b", "targetLabel true") + ROWS,
    "repeated_header": HEADER + HEADER + ROWS,
}
SERIES_TABLES = {
    "text_values": "label,t0,t1\na,x,y\nb,z,w\n" * 9,
    "one_column": "label\na\nb\n" * 9,
    "no_id": ("id,t,v,label\n" + "1,0,2,a\n", {"series_id_column": "nope"}),
    "two_labels": (
        "id,v,label\n" + "".join(f"{i // 2},{i},{'ab'[i % 2]}\n" for i in range(60)),
        {"series_id_column": "id"},
    ),
    "times": (
        "id,t,v,label\n" + "".join(f"{i // 3},{'0000-01-01'},{i},{'ab'[i // 3 % 2]}\n" for i in range(90)),
        {"series_id_column": "id", "time_column": "t"},
    ),
    "channels": ("id,v,label\n" + "1,2,a\n" * 30, {"series_id_column": "id", "value_columns": ["<script>"]}),
}
VALID_TEXTS = "text,label\n" + "".join(f"good {i} words,a\nbad {i} words,b\n" for i in range(20))
TEXTS = {
    "empty_texts": "text,label\n" + ",a\n,b\n" * 20,
    "one_text": "text,label\n" + "same,a\nsame,b\n" * 20,
    "emoji": VALID_TEXTS.replace("good", "🦄👩‍👩‍👧"),
    "rtl": VALID_TEXTS.replace("good", "\u202eשלום"),
    "combining": VALID_TEXTS.replace("good", "e" + "\u0301" * 5000),
    "nul": VALID_TEXTS.replace("good", "\0"),
    "long_word": VALID_TEXTS.replace("good", "x" * 20_000, 3),
    "controls": VALID_TEXTS.replace("good", "\x1b[31m\x07"),
    "long_text": VALID_TEXTS.replace("good", "ab " * 30_000, 2),
    "zero_width": VALID_TEXTS.replace("good", "\u200b"),
    "spaces": VALID_TEXTS.replace("good", "\u3000" * 300),
    "html": VALID_TEXTS.replace("good", "<script>"),
    "mask": VALID_TEXTS.replace("good", "[UNK]"),
    "digits": "text,label\n" + "1,a\n2,b\n" * 20,
    "line_ends": VALID_TEXTS.replace("good", '"two\u2028lines\x85"'),
    "private": VALID_TEXTS.replace("good", "\U0010ffff\ufffe"),
    "one_class": VALID_TEXTS.replace(",b", ",a"),
    "one_row": VALID_TEXTS[:28],
    "label_column_only": "label\na\nb\n" * 9,
    "regex": VALID_TEXTS.replace("good", "(a+)+$" * 50),
    "template": VALID_TEXTS.replace("good", "{{7*7}}%s%n"),
    "labels": VALID_TEXTS.replace(",a", ",../../x"),
    "one_class_per_row": "text,label\n" + "".join(f"t{i},c{i}\n" for i in range(40)),
    "text_setting": (VALID_TEXTS, {"text_column": "nope"}),
    "dates": "text,label\n" + "2024-01-01,a\n2024-01-02,b\n" * 20,
}
DAILY = "when,v\n" + "".join(f"2024-{1 + i // 28:02}-{1 + i % 28:02},{i % 7}.5\n" for i in range(200))
FORECASTS = {
    "empty": "",
    "header": "when,v\n",
    "one_row": "when,v\n2024-01-01,1\n",
    "same_time": "when,v\n" + "2024-01-01,1\n" * 200,
    "backwards": "when,v\n" + "\n".join(DAILY.splitlines()[:0:-1]) + "\n",
    "year_0": DAILY.replace("2024", "0000"),
    "year_9999": DAILY.replace("2024", "9999"),
    "february": DAILY.replace("-02-05", "-02-31"),
    "text_values": DAILY.replace(".5", "x"),
    "constant": DAILY.replace("1.5", "2.5"),
    "all_same": "when,v\n" + "".join(f"{i},1\n" for i in range(200)),
    "missing": "when,v\n" + "".join(f"{i},\n" for i in range(200)),
    "huge_gap": DAILY + "2924-01-01,1\n",
    "gap_of_seconds": DAILY + "2024-08-01T00:00:01,1\n",
    "large": DAILY.replace(".5", "e307"),
    "far": DAILY.replace("1.5", "1e308").replace("2.5", "-1e308"),
    "infinite": DAILY.replace("1.5", "inf"),
    "counts": "when,v\n" + "".join(f"{i * 10**15},{i % 5}\n" for i in range(200)),
    "no_time": "v\n" + "1\n2\n" * 90,
    "zones": DAILY.replace(",", "T00:00+99:99,"),
    "script": DAILY.replace("when,v", "when,<script>"),
    "same_names": DAILY.replace("when,v", "v,v"),
    "tiny": DAILY.replace(".5", "e-310"),
    "horizon": (DAILY, {"horizon": 10**9}),
    "past": (DAILY, {"context_length": 10**9}),
    "season": (DAILY, {"season_length": 10**9}),
    "calendar": (DAILY, {"calendar_features": ["../x"]}),
    "steps": (DAILY, {"test_steps": 10**9}),
    "known": (DAILY, {"known_covariates": ["v"]}),
    "series": (DAILY, {"series_id_column": "v"}),
}
CASES = {("series", f"ts_{name}"): ("t.ts", content, {}) for name, content in TS.items()}
CASES |= {
    ("series", f"table_{name}"): ("t.csv", *(case if isinstance(case, tuple) else (case, {})))
    for name, case in SERIES_TABLES.items()
}
CASES |= {("text", name): ("t.csv", *(case if isinstance(case, tuple) else (case, {}))) for name, case in TEXTS.items()}
CASES |= {
    ("forecast", name): ("t.csv", *(case if isinstance(case, tuple) else (case, {})))
    for name, case in FORECASTS.items()
}
