"""The content of the demo's tickets: realistic problems with threads, internal notes and every status."""

from __future__ import annotations

from typing import Any, NamedTuple

from helpdesk.terms import Priority


class Reply(NamedTuple):
    after_min: int
    by: str
    body: str
    to: int | None = None  # index of the comment in the story that it replies to, from 0


class Note(NamedTuple):
    """An internal note."""

    after_min: int
    by: str
    body: str
    to: int | None = None


class Set(NamedTuple):
    """A change of fields, named as in PATCH, except for `assignee`, which is a username."""

    after_min: int
    by: str
    fields: dict[str, Any]


Step = Reply | Note | Set


class Story(NamedTuple):
    minutes_ago: int
    by: str
    title: str
    description: str
    priority: Priority
    tags: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    sla_minutes: int | None = None


STORIES: tuple[Story, ...] = (
    Story(
        9 * 1440,
        "user",
        "Laptop will not wake from sleep",
        "Since the update last week my laptop (ThinkPad T14, asset 00417) stays black when I open the lid. "
        "Holding the power button for ten seconds helps, but I lose what was open.",
        "medium",
        ("hardware", "laptop"),
        (
            Set(50, "agent", {"assignee": "agent", "status": "in_progress"}),
            Reply(
                55, "agent", "Thank you for the asset number. Which version does Settings > About show for the BIOS?"
            ),
            Set(56, "agent", {"status": "pending"}),
            Reply(300, "user", "It says 1.42.", 0),
            Note(320, "agent", "1.42 is the one with the sleep bug; 1.45 fixes it. Same as asset 00409."),
            Reply(
                330,
                "agent",
                "That version has a known fault with sleep. The update is in Software Center now; "
                "it takes five minutes and one restart.",
                1,
            ),
            Reply(1500, "user", "Updated, and it has woken up every time since. Thank you!", 3),
            Set(1510, "agent", {"status": "resolved"}),
            Set(1440 * 4, "agent", {"status": "closed"}),
        ),
    ),
    Story(
        6 * 1440,
        "user",
        "Access to the shared finance folder",
        "I moved to the finance team on Monday and cannot open \\\\files\\finance. My manager Priya has agreed.",
        "low",
        ("access", "finance"),
        (
            Set(200, "admin", {"assignee": "admin"}),
            Note(210, "admin", "Priya confirmed by phone. Group: FIN-READ, not FIN-WRITE."),
            Set(260, "admin", {"status": "resolved"}),
            Reply(262, "admin", "You can open it now; please sign out and in once so that it takes effect."),
        ),
    ),
    Story(
        4 * 1440,
        "user",
        "Invoices print with the wrong paper size",
        "Every invoice from the ERP comes out on A5, the preview shows A4. Printer: 3rd floor, next to the kitchen.",
        "medium",
        ("printer", "erp"),
        (
            Set(120, "agent", {"assignee": "agent", "status": "in_progress"}),
            Reply(130, "agent", "I have set the tray to A4. Could you print one more and tell me what comes out?"),
            Set(131, "agent", {"status": "pending"}),
        ),
    ),
    Story(
        3 * 1440,
        "user",
        "Calendar shows meetings an hour late",
        "All invitations from our partners in London are one hour off since the clocks changed. My own are right.",
        "medium",
        ("calendar", "time-zone"),
        (
            Reply(95, "agent", "Is this on the phone, on the computer, or on both?"),
            Reply(180, "user", "Only on the phone. The computer is right.", 0),
            Set(190, "agent", {"assignee": "agent", "status": "in_progress"}),
        ),
    ),
    Story(
        2 * 1440 + 300,
        "user",
        "Two-factor codes are rejected",
        "My authenticator app's codes are refused since yesterday. I still have two recovery codes.",
        "high",
        ("login", "security"),
        (
            Set(15, "admin", {"assignee": "admin", "status": "in_progress"}),
            Reply(
                20,
                "admin",
                "Please check that the phone's clock is set automatically; a minute's difference is enough.",
            ),
            Reply(40, "user", "It was four minutes fast! Set it to automatic and the codes work.", 0),
            Set(45, "admin", {"status": "resolved"}),
        ),
    ),
    Story(
        2 * 1440,
        "user",
        "Wi-Fi drops in meeting room Oslo",
        "Video calls in Oslo freeze every few minutes. In Bergen next door it is fine. We lost a customer call.",
        "high",
        ("network", "wifi"),
        (
            Set(30, "agent", {"assignee": "agent", "status": "in_progress"}),
            Note(60, "agent", "AP-3-07 logs: radar events on channel 100, it changes channel each time."),
            Reply(65, "agent", "We see the access point changing channels. We will fix it to one tonight after 20:00."),
            Reply(1600, "user", "This morning it froze again, twice.", 1),
        ),
    ),
    Story(
        1440 + 200,
        "user",
        "Please install R and RStudio",
        "I need R 4.4 and RStudio for the survey project, starting next week. Cost centre 4711.",
        "low",
        ("software", "request"),
        (Set(400, "agent", {"assignee": "agent"}),),
    ),
    Story(
        1440,
        "agent",
        "Backup of the file server failed twice",
        "The nightly job stopped at 02:14 with «no space left on target» on both nights. Retention keeps 35 copies.",
        "high",
        ("backup", "server"),
        (
            Set(10, "admin", {"assignee": "admin", "status": "in_progress"}),
            Note(
                25,
                "admin",
                "Old snapshots of the retired mail server take 1.8 TB. Deleting them needs a second pair of eyes.",
            ),
            Note(40, "agent", "Checked the list with you: nothing newer than March in it. Go ahead.", 0),
        ),
    ),
    Story(
        600,
        "user",
        "Customer portal shows another customer's name",
        "Müller GmbH wrote that after signing in they saw «Bäckerei Großmann» at the top right. I have a screenshot. "
        "Could be a data leak!",
        "urgent",
        ("portal", "privacy"),
        (
            Set(4, "admin", {"assignee": "admin", "status": "in_progress"}),
            Reply(6, "admin", "Thank you for telling us at once. Please send me the exact time that they saw it."),
            Note(
                20, "admin", "Cached header fragment, no data behind it. Cache for signed-in pages is off since 11:40."
            ),
            Reply(35, "user", "They say about 9:05.", 0),
        ),
    ),
    Story(
        150,
        "user",
        "VPN drops every hour",
        "When I work from home the VPN disconnects after exactly 60 minutes and I have to sign in again. "
        "It began on Monday. Windows 11, client 5.2.",
        "high",
        ("network", "vpn"),
        (
            Reply(
                25,
                "agent",
                "Exactly 60 minutes sounds like a session limit. Could you try the profile «Home office 2»?",
            ),
            Reply(70, "user", "It has held for 45 minutes so far. I will tell you after lunch.", 0),
        ),
    ),
    Story(
        50,
        "user",
        "Cannot pay: card terminal at reception is offline",
        "Guests are waiting. The terminal says «no connection to host». I have restarted it twice.",
        "urgent",
        ("payment", "reception"),
        (Set(6, "agent", {"assignee": "agent", "status": "in_progress"}),),
    ),
    Story(
        35,
        "user",
        "新しいキーボードの申請",
        "日本語配列のキーボードを一つお願いします。Asset number of the old one: 00233. (A Japanese keyboard, please.)",
        "low",
        ("hardware", "request"),
    ),
    Story(
        8,
        "user",
        "How do I forward my phone during holidays?",
        "I am away from Friday on. Calls should go to Samira, extension 214, and voicemail should be off.",
        "medium",
        ("phone", "how-to"),
    ),
)
