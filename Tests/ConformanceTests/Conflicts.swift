import Testing

/// Something done in a transaction, something that another client does meanwhile, and whether the
/// commit succeeds. Before, `$/a/k` and `$/b` exist with the value `0`.
struct Conflict: Sendable {
    let name: String
    let inside: [(String, String)]
    let outside: String
    let end: Expected<String>
    let location: SourceLocation

    init(
        _ name: String,
        _ inside: [(String, String)],
        _ outside: String,
        _ end: Expected<String>,
        location: SourceLocation = #_sourceLocation
    ) {
        self.name = name
        self.inside = inside
        self.outside = outside
        self.end = end
        self.location = location
    }
}

extension Expected where Value == String {
    /// C and ours notice a change of anything that was touched; oxenstored replays and compares
    /// the replies.
    static var conflictsUnlessReplayed: Expected { .differs("EAGAIN", oxenstored: "OK|") }
}

let conflicts: [Conflict] = [
    Conflict("write write", [("WRITE $/b|in", "OK|")], "WRITE $/b|x", .conflictsUnlessReplayed),
    Conflict("read write", [("READ $/b|", "0")], "WRITE $/b|x", .conflictsUnlessReplayed),
    Conflict(
        "read write with a write",
        [("READ $/b|", "0"), ("WRITE $/a/k|", "OK|")],
        "WRITE $/b|x",
        "EAGAIN"
    ),
    Conflict(
        "read and the same value",
        [("READ $/b|", "0"), ("WRITE $/a/k|", "OK|")],
        "WRITE $/b|0",
        .conflictsUnlessReplayed
    ),
    Conflict("siblings that exist", [("WRITE $/b|in", "OK|")], "WRITE $/a|x", "OK|"),
    Conflict(
        "siblings that are new",
        [("WRITE $/x|in", "OK|")],
        "WRITE $/y|x",
        .conflictsUnlessReplayed
    ),
    Conflict(
        "a child and its parent",
        [("WRITE $/a/x|in", "OK|")],
        "WRITE $/a|x",
        .conflictsUnlessReplayed
    ),
    Conflict(
        "list and a new child",
        [("DIRECTORY $/a|", "k|"), ("WRITE $/b|", "OK|")],
        "WRITE $/a/new|",
        "EAGAIN"
    ),
    Conflict(
        "list and the value of a child",
        [("DIRECTORY $/a|", "k|"), ("WRITE $/b|", "OK|")],
        "WRITE $/a/k|x",
        "OK|"
    ),
    Conflict(
        "list and a grandchild",
        [("DIRECTORY $/a|", "k|"), ("WRITE $/b|", "OK|")],
        "WRITE $/a/k/new|",
        "OK|"
    ),
    Conflict(
        "read and a new child",
        [("READ $/a|", ""), ("WRITE $/b|", "OK|")],
        "WRITE $/a/new|",
        .conflictsUnlessReplayed
    ),
    Conflict(
        "missing and made",
        [("READ $/none|", "ENOENT"), ("WRITE $/b|", "OK|")],
        "WRITE $/none|",
        .conflictsUnlessReplayed
    ),
    Conflict(
        "missing and a sibling",
        [("READ $/none|", "ENOENT"), ("WRITE $/b|", "OK|")],
        "WRITE $/other|",
        .conflictsUnlessReplayed
    ),
    Conflict("made twice", [("MKDIR $/x|", "OK|")], "MKDIR $/x|", .conflictsUnlessReplayed),
    Conflict("removed and written", [("RM $/b|", "OK|")], "WRITE $/b|x", .conflictsUnlessReplayed),
    Conflict("written and removed", [("WRITE $/b|x", "OK|")], "RM $/b|", .conflictsUnlessReplayed),
    Conflict("removed twice", [("RM $/b|", "OK|")], "RM $/b|", .conflictsUnlessReplayed),
    Conflict(
        "removed with a new child",
        [("RM $/a|", "OK|")],
        "WRITE $/a/new|",
        .conflictsUnlessReplayed
    ),
    Conflict(
        "removed with a changed child",
        [("RM $/a|", "OK|")],
        "WRITE $/a/k|x",
        .conflictsUnlessReplayed
    ),
    Conflict(
        "permissions and value",
        [("SET_PERMS $/b|n0|r5|", "OK|")],
        "WRITE $/b|x",
        .conflictsUnlessReplayed
    ),
    Conflict(
        "value and permissions",
        [("WRITE $/b|x", "OK|")],
        "SET_PERMS $/b|n0|r5|",
        .conflictsUnlessReplayed
    ),
    Conflict(
        "permissions read and changed",
        [("GET_PERMS $/b|", "n0|"), ("WRITE $/a/k|", "OK|")],
        "SET_PERMS $/b|n0|r5|",
        "EAGAIN"
    ),
    Conflict("nothing was missing", [("RM $/none|", "OK|")], "WRITE $/b|x", "OK|"),
    Conflict("elsewhere", [("READ $/a/k|", "0"), ("WRITE $/a/k|", "OK|")], "WRITE $/b|x", "OK|"),
]
