"""The form of a language's dates, times, numbers and lists: `cldr` has the data."""

from __future__ import annotations


class LocaleFormats:
    """The formats of one language. A plain class, which costs a start the least.

    Args:
        date: the pattern of a date (UTS #35): EEEE, MMMM, MMM, dd, d and y.
        date_time_separator: between a date and a time.
        clock_separator: between hours and minutes.
        decimal: the decimal separator.
        group: between groups of three digits.
        list_pair: between the two items of a list of two.
        list_middle: between two items of a longer list.
        list_end: before its last item.
        months: January first.
        short_months: the same, abbreviated.
        weekdays: Monday first.
    """

    __slots__ = (
        "clock_separator",
        "date",
        "date_time_separator",
        "decimal",
        "group",
        "list_end",
        "list_middle",
        "list_pair",
        "months",
        "short_months",
        "weekdays",
    )

    def __init__(
        self,
        *,
        date: str,
        date_time_separator: str,
        clock_separator: str,
        decimal: str,
        group: str,
        list_pair: str,
        list_middle: str,
        list_end: str,
        months: tuple[str, ...],
        short_months: tuple[str, ...],
        weekdays: tuple[str, ...],
    ) -> None:
        self.date = date
        self.date_time_separator = date_time_separator
        self.clock_separator = clock_separator
        self.decimal = decimal
        self.group = group
        self.list_pair = list_pair
        self.list_middle = list_middle
        self.list_end = list_end
        self.months = months
        self.short_months = short_months
        self.weekdays = weekdays
