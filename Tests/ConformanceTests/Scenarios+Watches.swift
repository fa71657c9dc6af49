import MountSupport
import Testing

/// Watches and their events.
let watchScenarios: [Scenario] = [
    Scenario("watching") {
        Row("A", "WATCH $/w|t|", "OK|", ["A $/w t"])
        Row("A", "WATCH $/w|t|", "EEXIST")
        Row("A", "WATCH $/w|u|", "OK|", ["A $/w u"])
        Row("A", "WATCH $/other|t|", "OK|", ["A $/other t"])
        Row("B", "WATCH $/w|t|", "OK|", ["B $/w t"])
        Row("A", "WATCH $/empty||", "OK|", ["A $/empty "])
        Row("A", "WATCH $/w|", "EINVAL")
        Row("A", "WATCH /a//b|t|", "EINVAL")
        Row("A", "WATCH /a b|t|", "EINVAL")
        Row("A", "WATCH |t|", "EINVAL")
        Row("A", "WATCH $/w/|t|", "EINVAL")
        Row("A", "WATCH @none|t|", "OK|", ["A @none t"])
        Row("A.99", "WATCH $/transaction|t|", "OK|", ["A $/transaction t"])
        Row("A", "UNWATCH $/w|none|", "ENOENT")
        Row("A", "UNWATCH $/none|t|", "ENOENT")
        Row("A", "UNWATCH $/w|", "EINVAL")
        Row("A", "UNWATCH $//w|t|", .differs("ENOENT", xenstored: [.xen420: "EINVAL"]))
        Row("A", "UNWATCH $/w|t|", "OK|")
        Row("A", "UNWATCH $/w|t|", "ENOENT")
        Row(
            "A",
            "WRITE $/w|",
            "OK|",
            ["A $/w u", "B $/w t"]
        )
    },
    Scenario("events of changes") {
        Row("A", "WATCH $|t|", "OK|", ["A $ t"])
        Row("B", "WATCH $|t|", "OK|", ["B $ t"])
        Row("A", "WRITE $/a|1", "OK|", ["A $/a t", "B $/a t"])
        Row("A", "WRITE $/a|1", "OK|", ["A $/a t", "B $/a t"])
        Row("A", "WRITE $/x/y/z|", "OK|", ["A $/x/y/z t", "B $/x/y/z t"])
        Row("A", "MKDIR $/m/n|", "OK|", ["A $/m/n t", "B $/m/n t"])
        Row("A", "MKDIR $/m/n|", "OK|")
        Row("A", "SET_PERMS $/a|n0|", "OK|", ["A $/a t", "B $/a t"])
        Row("A", "SET_PERMS $/a|n0|", "OK|", ["A $/a t", "B $/a t"])
        Row("A", "RM $/x|", "OK|", ["A $/x t", "B $/x t"])
        Row("A", "RM $/x|", "OK|")
        Row("A", "READ $/a|", "1")
        Row("A", "WRITE $/a b|", "EINVAL")
        Row("A", "RM $/none/below|", "ENOENT")
    },
    Scenario("events below and above") {
        Row("A", "WATCH $/a|a|", "OK|", ["A $/a a"])
        Row("A", "WATCH $/a/b|b|", "OK|", ["A $/a/b b"])
        Row("A", "WATCH $/a/b/c|c|", "OK|", ["A $/a/b/c c"])
        Row("A", "WRITE $/a/b/c|", "OK|", ["A $/a/b/c a", "A $/a/b/c b", "A $/a/b/c c"])
        Row("A", "WRITE $/a|", "OK|", ["A $/a a"])
        Row("A", "WRITE $/ab|", "OK|")
        Row("A", "SET_PERMS $/a|n0|", "OK|", ["A $/a a"])
    },
    Scenario("events of removals") {
        Row("A", "WRITE $/a/b/c|", "OK|")
        Row("A", "WATCH $/a|a|", "OK|", ["A $/a a"])
        Row("A", "WATCH $/a/b|b|", "OK|", ["A $/a/b b"])
        Row("A", "WATCH $/a/b/c|c|", "OK|", ["A $/a/b/c c"])
        Row("A", "WATCH $/a/none|n|", "OK|", ["A $/a/none n"])
        Row(
            "A",
            "RM $/a|",
            "OK|",
            .differ(
                ["A $/a/b/c c", "A $/a/b b", "A $/a a"],
                oxenstored: ["A $/a a", "A $/a/b b", "A $/a/b/c c", "A $/a/none n"]
            )
        )
    },
    Scenario("relative watches") {
        Row("A", "WATCH conformance-watch|t|", "OK|", ["A conformance-watch t"])
        Row(
            "B",
            "WRITE /local/domain/0/conformance-watch/k|",
            "OK|",
            ["A conformance-watch/k t"]
        )
        Row("B", "RM conformance-watch|", "OK|", ["A conformance-watch t"])
        Row("A", "WATCH /local/domain/0/conformance-watch|t|", "EEXIST")
        Row("A", "UNWATCH /local/domain/0/conformance-watch|t|", "OK|")
        Row("A", "UNWATCH conformance-watch|t|", "ENOENT")
    },
    Scenario("depth of watches") {
        Row(
            "A",
            "WATCH $|0|0|",
            .differs("OK|", xenstored: "EINVAL", oxenstored: "EINVAL"),
            .differ(["A $ 0"], xenstored: [], oxenstored: [])
        )
        Row("A", "WATCH $|1|1|", "OK|", ["A $ 1"], only: [.store])
        Row("A", "WRITE $/a/b|", "OK|", only: [.store])
        Row("A", "WRITE $/a|", "OK|", ["A $/a 1"], only: [.store])
        Row("A", "WRITE $|", "OK|", ["A $ 0", "A $ 1"], only: [.store])
    },
    Scenario("the end of watches") {
        Row("A", "WATCH $|t|", "OK|", ["A $ t"])
        Row("A.t", "TRANSACTION_START |", "#|")
        Row("A", "RESET_WATCHES |", "OK|")
        Row("A", "WRITE $/a|", "OK|")
        Row("A.t", "READ $|", .differs("ENOENT", oxenstored: "EIO"))
        Row("A", "UNWATCH $|t|", "ENOENT")
    },
    Scenario("what a guest hears") {
        Row("A", "WRITE $/secret/x|", "OK|")
        Row("A", "WRITE $/public|", "OK|")
        Row("A", "SET_PERMS $/public|n0|r5|", "OK|")
        Row("G", "RESET_WATCHES |", "OK|")
        Row("G", "WATCH $/secret|s|", "OK|", ["G $/secret s"])
        Row("G", "WATCH $/public|p|", "OK|", ["G $/public p"])
        Row("A", "WRITE $/secret/x|", "OK|")
        Row("A", "WRITE $/public|", "OK|", ["G $/public p"])
        Row("A", "WRITE $/public/kid|", "OK|", ["G $/public/kid p"])
        Row("A", "RM $/secret/x|", "OK|")
        Row("A", "RM $/public/kid|", "OK|", ["G $/public/kid p"])
        Row("A", "RM $/public|", "OK|", ["G $/public p"])
        Row("G", "WATCH @releaseDomain|r|", "OK|", ["G @releaseDomain r"])
        Row("G", "RESET_WATCHES |", "OK|")
    },
]
