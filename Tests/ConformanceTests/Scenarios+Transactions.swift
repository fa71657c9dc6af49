import MountSupport
import Testing

/// Transactions: what they see, tell, and conflict with.
let transactionScenarios: [Scenario] =
    [
        Scenario("numbers of transactions") {
            Row("A.t", "TRANSACTION_START |", "1|")
            Row("A.u", "TRANSACTION_START |", "2|")
            Row("B.t", "TRANSACTION_START |", "1|")
            Row("A.t", "TRANSACTION_START |", "EBUSY")
            Row("A.99", "TRANSACTION_START |", .differs("ENOENT", oxenstored: "EIO"))
            Row("B.2", "READ $|", .differs("ENOENT", oxenstored: "EIO"))
            Row("A.99", "READ $|", .differs("ENOENT", oxenstored: "EIO"))
            Row("A.99", "WRITE $/a|", .differs("ENOENT", oxenstored: "EIO"))
            Row("A.99", "GET_DOMAIN_PATH 0|", .differs("ENOENT", oxenstored: "EIO"))
            Row("A.99", "RESET_WATCHES |", .differs("ENOENT", oxenstored: "EIO"))
            Row("A.99", "TRANSACTION_END T|", .differs("ENOENT", oxenstored: "EIO"))
            Row("A", "TRANSACTION_END T|", "ENOENT")
            Row("A.t", "TRANSACTION_END X|", "EINVAL")
            Row("A.t", "TRANSACTION_END |", "EINVAL")
            Row("A.t", "TRANSACTION_END TRUE|", "EINVAL")
            Row("A.t", "TRANSACTION_END F|", "OK|")
            Row("A.t", "TRANSACTION_END F|", .differs("ENOENT", oxenstored: "EIO"))
            Row("A.u", "TRANSACTION_END T|", "OK|")
            Row("A.u", "READ $|", .differs("ENOENT", oxenstored: "EIO"))
        },
        Scenario("isolation") {
            Row("B", "WATCH $|t|", "OK|", ["B $ t"])
            Row("A", "WRITE $/a|old", "OK|", ["B $/a t"])
            Row("A.t", "TRANSACTION_START |", "#|")
            Row("A.t", "WRITE $/a|new", "OK|")
            Row("A.t", "READ $/a|", "new")
            Row("A", "READ $/a|", "old")
            Row("B", "READ $/a|", "old")
            Row("A.t", "TRANSACTION_END T|", "OK|", ["B $/a t"])
            Row("B", "READ $/a|", "new")
            Row("A.u", "TRANSACTION_START |", "#|")
            Row("A.u", "RM $/a|", "OK|")
            Row("A.u", "READ $/a|", "ENOENT")
            Row("A.u", "TRANSACTION_END F|", "OK|")
            Row("B", "READ $/a|", "new")
        },
        Scenario("what a transaction reads") {
            // C reads at the first access, oxenstored and ours as it was at the start.
            Row("A", "WRITE $/a|0", "OK|")
            Row("A.t", "TRANSACTION_START |", "#|")
            Row("B", "WRITE $/a|1", "OK|")
            Row("A.t", "READ $/a|", .differs("0", xenstored: "1"))
            Row("B", "WRITE $/a|2", "OK|")
            Row("A.t", "READ $/a|", .differs("0", xenstored: "1"))
            Row("A.t", "TRANSACTION_END T|", .differs("EAGAIN", oxenstored: "OK|"))
        },
        Scenario("what goes while a transaction has read it") {
            Row("A", "WRITE $/a/k|0", "OK|")
            Row("A.t", "TRANSACTION_START |", "#|")
            Row("A.t", "READ $/a/k|", "0")
            Row("B", "RM $/a/k|", "OK|")
            // C takes the list of the parent only now.
            Row("A.t", "RM $/a/k|", .differs("OK|", xenstored: "EIO"))
            Row("A.t", "TRANSACTION_END T|", "EAGAIN")
        },
        Scenario("a guest's key that goes twice") {
            // C 4.18 to 4.21 count what a guest has before they look for conflicts. It has no
            // other key, and would have less than none.
            Row("A", "WRITE $/theirs|0", "OK|")
            Row("A", "SET_PERMS $/theirs|n1|", "OK|")
            Row("A.t", "TRANSACTION_START |", "#|")
            Row("A.t", "RM $/theirs|", "OK|")
            Row("B", "RM $/theirs|", "OK|")
            Row(
                "A.t",
                "TRANSACTION_END T|",
                .differs("EAGAIN", xenstored: [.xen420: "ENOMEM"], oxenstored: "OK|")
            )
            Row("A.t", "READ $|", .differs("ENOENT", oxenstored: "EIO"))
        },
        Scenario("events of commits") {
            Row("A", "WRITE $/old/sub|", "OK|")
            Row("B", "WATCH $|t|", "OK|", ["B $ t"])
            Row("A", "WATCH $/old/sub|s|", "OK|", ["A $/old/sub s"])
            Row("A.t", "TRANSACTION_START |", "#|")
            Row("A.t", "WRITE $/z/y|", "OK|")
            Row("A.t", "WRITE $/a|", "OK|")
            Row("A.t", "SET_PERMS $/a|n0|", "OK|")
            Row("A.t", "MKDIR $/a|", "OK|")
            Row("A.t", "RM $/old|", "OK|")
            Row(
                "A.t",
                "TRANSACTION_END T|",
                "OK|",
                .differ(
                    ["B $/z/y t", "B $/a t", "B $/old t", "A $/old/sub s"],
                    oxenstored: ["B $/z/y t", "B $/a t", "B $/a t", "B $/old t", "A $/old/sub s"]
                )
            )
            Row("A.u", "TRANSACTION_START |", "#|")
            Row("A.u", "WRITE $/brief|", "OK|")
            Row("A.u", "RM $/brief|", "OK|")
            Row(
                "A.u",
                "TRANSACTION_END T|",
                "OK|",
                .differ([], oxenstored: ["B $/brief t", "B $/brief t"])
            )
        },
        Scenario("failures inside") {
            Row("A.t", "TRANSACTION_START |", "#|")
            Row("A.t", "WRITE $/a|in", "OK|")
            Row("A.t", "WRITE $/a b|", "EINVAL")
            Row("A.t", "RM $/none/below|", "ENOENT")
            Row("A.t", "TRANSACTION_END T|", "OK|")
            Row("A", "READ $/a|", "in")
        },
        Scenario("a refusal inside") {
            // What was refused depends on the nodes above, so they count as read.
            Row("A", "WRITE $/a|", "OK|")
            Row("A", "SET_PERMS $/a|b0|", "OK|")
            Row("G.t", "TRANSACTION_START |", "#|")
            Row("G.t", "SET_PERMS $/a|b0|", "EACCES")
            Row("A", "WRITE $|changed", "OK|")
            Row("G.t", "TRANSACTION_END T|", .differs("EAGAIN", oxenstored: "OK|"))
        },
        Scenario("rights that come with a commit") {
            // C writes and tells node by node, in the order of their first access.
            Row("A", "WRITE $/a|", "OK|")
            Row("G", "WATCH $|t|", "OK|", ["G $ t"])
            Row("A.t", "TRANSACTION_START |", "#|")
            Row("A.t", "WRITE $/a/child|", "OK|")
            Row("A.t", "SET_PERMS $/a|n0|r5|", "OK|")
            Row(
                "A.t",
                "TRANSACTION_END T|",
                "OK|",
                .differ(["G $/a t"], oxenstored: ["G $/a/child t", "G $/a t"])
            )
            Row("G", "UNWATCH $|t|", "OK|")
        },
        Scenario("a client that meets itself") {
            Row("A", "WRITE $/a|0", "OK|")
            Row("A.t", "TRANSACTION_START |", "#|")
            Row("A.t", "READ $/a|", "0")
            Row("A.t", "WRITE $/a|in", "OK|")
            Row("A", "WRITE $/a|out", "OK|")
            Row("A.t", "TRANSACTION_END T|", "EAGAIN")
            Row("A", "READ $/a|", "out")
        },
    ]
    + conflicts.map { conflict in
        Scenario("conflict " + conflict.name) {
            Row("A", "WRITE $/a/k|0", "OK|")
            Row("A", "WRITE $/b|0", "OK|")
            Row("A.t", "TRANSACTION_START |", "#|")
            conflict.inside.map { request, reply in
                Row("A.t", request, .init(value: reply), location: conflict.location)
            }
            Row("B", conflict.outside, "OK|", location: conflict.location)
            Row("A.t", "TRANSACTION_END T|", conflict.end, location: conflict.location)
        }
    }
