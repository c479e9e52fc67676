"""What the curves say, with the numbers that it rests on."""

from tfkit.report.judgements import judge
from tfkit.report.reading import Record
from tfkit.report.section import Section


def verdicts(record: Record) -> list[Section]:
    """What should be looked at, with evidence and a command to try; or that nothing stands out."""
    found = judge(record)
    words = (
        []
        if found
        else [
            "Nothing stands out: no sign of over-fitting, under-fitting, a rate that does not fit, "
            "or a training that was cut short."
        ]
    )
    for name, reason in (record.evidence.get("not_made") or {}).items():
        words.append(f"This report goes without {name}: {reason}.")
    if not record.evidence:
        words.append("This run was trained without a report, so what needs its model and data is not here.")
    return [Section("What the curves say", words, judgements=found)]
