import MountSupport
import Testing

/// Permissions, as the privileged domain sets them and as a guest meets them.
let permissionScenarios: [Scenario] = [
    Scenario("permissions") {
        Row("A", "GET_PERMS $|", "n0|")
        Row("A", "SET_PERMS $|n0|r5|", "OK|")
        Row("A", "GET_PERMS $|", "n0|r5|")
        Row("A", "WRITE $/child/deep|", "OK|")
        Row("A", "GET_PERMS $/child|", "n0|r5|")
        Row("A", "GET_PERMS $/child/deep|", "n0|r5|")
        Row("A", "SET_PERMS $|b5|w1|", "OK|")
        Row("A", "GET_PERMS $/child|", "n0|r5|")
        Row("A", "WRITE $/owned|", "OK|")
        Row("A", "GET_PERMS $/owned|", "b5|w1|")
        Row("A", "SET_PERMS $|n0|r1|w1|", "OK|")
        Row("A", "GET_PERMS $|", "n0|r1|w1|")
        Row("A", "SET_PERMS $|n0|r1|r2|r5|w1|b2|", "OK|")
        Row("A", "SET_PERMS $|n005|", "OK|")
        Row("A", "GET_PERMS $|", "n5|")
        Row("A", "GET_PERMS $/none|", "ENOENT")
        Row("A", "SET_PERMS $/none|n0|", "ENOENT")
        Row("A", "SET_PERMS $/none/below|n0|", "ENOENT")
    },
    Scenario("malformed permissions") {
        Row("A", "SET_PERMS $|", "EINVAL")
        Row("A", "SET_PERMS $|x0|", "EINVAL")
        Row("A", "SET_PERMS $|R0|", "EINVAL")
        Row("A", "SET_PERMS $|r|", "EINVAL")
        Row("A", "SET_PERMS $|0|", "EINVAL")
        Row("A", "SET_PERMS $|r0x|", "EINVAL")
        Row("A", "SET_PERMS $|n0", "EINVAL")
        Row("A", "GET_PERMS $|", "n0|")
    },
    // C keeps 32 bits and shows them as signed, in ten characters; oxenstored keeps 63 bits.
    Scenario("numbers that are no domain's") {
        let kept: [(String, c: String, o: String)] = [
            ("-1", "-1", "9223372036854775807"), ("-2", "-2", "9223372036854775806"),
            ("99999999999", "1215752191", "99999999999"),
            ("-99999999999", "-121575219", "9223371936854775809"),
            ("2147483647", "2147483647", "2147483647"),
            ("2147483648", "-214748364", "2147483648"),
            ("4294967295", "-1", "4294967295"), ("4294967296", "0", "4294967296"),
            ("4611686018427387903", "-1", "4611686018427387903"),
            ("-4611686018427387904", "0", "4611686018427387904"),
            ("70000", "70000", "70000"), ("32752", "32752", "32752"),
        ]
        for (number, c, o) in kept {
            for caller in ["A", "G"] {
                [
                    Row("A", "SET_PERMS $|n5|", "OK|"),
                    Row(caller, "SET_PERMS $|n5|r\(number)|", "OK|"),
                    Row("A", "GET_PERMS $|", .differs("n5|r\(c)|", oxenstored: "n5|r\(o)|")),
                ]
            }
        }
        for (number, c) in [
            ("9223372036854775807", "-1"), ("9223372036854775808", "-1"),
            ("4611686018427387904", "0"), ("-9223372036854775809", "0"),
            ("99999999999999999999999", "-1"),
        ] {
            [
                Row("A", "SET_PERMS $|n5|", "OK|"),
                Row("G", "SET_PERMS $|n5|r\(number)|", .differs("OK|", oxenstored: "EINVAL")),
                Row("A", "GET_PERMS $|", .differs("n5|r\(c)|", oxenstored: "n5|")),
            ]
        }
        Row("A", "SET_PERMS $|n5|", "OK|")
        Row("A", "SET_PERMS $|n5|r--1|", "EINVAL")
        Row("A", "SET_PERMS $|n5|r-|", "EINVAL")
        Row("G", "SET_PERMS $|n-1|", .differs("ENOENT", oxenstored: "EACCES"))
        Row("G", "SET_PERMS $|n99999999999|", .differs("ENOENT", oxenstored: "EACCES"))
        Row("A", "GET_PERMS $|", "n5|")
        Row("A", "SET_PERMS $|n-1|r5|", .differs("ENOENT", oxenstored: "OK|"))
        Row("A", "GET_PERMS $|", .differs("n5|", oxenstored: "n9223372036854775807|r5|"))
        Row("A", "SET_PERMS $|n99999999999|r5|", .differs("ENOENT", oxenstored: "OK|"))
        Row("A", "GET_PERMS $|", .differs("n5|", oxenstored: "n99999999999|r5|"))
        Row("G", "READ $|", "")
        Row("A", "SET_PERMS $|n0|r-1|", "OK|")
        Row("G", "READ $|", "EACCES")
    },
    Scenario("permissions of special paths") {
        // C 4.17 sets them, but refuses to tell, and tells no watch.
        Row("B", "WATCH @releaseDomain|t|", "OK|", ["B @releaseDomain t"])
        Row(
            "A",
            "SET_PERMS @releaseDomain|n0|r5|",
            "OK|",
            .differ(
                ["B @releaseDomain t"],
                xenstored: [.xen417: [], .xen420: ["B @releaseDomain t"]],
                oxenstored: []
            )
        )
        Row("B", "UNWATCH @releaseDomain|t|", "OK|")
        Row(
            "A",
            "GET_PERMS @releaseDomain|",
            .differs("n0|r5|", xenstored: [.xen417: "EINVAL", .xen420: "n0|r5|"])
        )
        Row("A", "SET_PERMS @releaseDomain|n0|", "OK|")
        Row(
            "A",
            "GET_PERMS @introduceDomain|",
            .differs("n0|", xenstored: [.xen417: "EINVAL", .xen420: "n0|"])
        )
        Row(
            "A",
            "GET_PERMS @none|",
            .differs("EINVAL", xenstored: [.xen420: "ENOENT"], oxenstored: "ENOENT")
        )
        // C 4.17 does not answer at all.
        Row(
            "A",
            "SET_PERMS @none|n0|",
            "ENOENT",
            only: [.store, .xenstored],
            from: .xen420
        )
        Row("A", "READ @none|", .differs("EINVAL", oxenstored: "ENOENT"))
        Row("A", "WRITE @none|x", "EINVAL", only: [.store, .xenstored])
    },
    Scenario("domains that do not exist") {
        // Without a hypervisor ours takes every domain for an existing one.
        Row("A", "SET_PERMS $|n77|", .differs("OK|", xenstored: "ENOENT"))
    },
    Scenario("a guest reads") {
        Row("A", "WRITE $/secret/x|", "OK|")
        Row("A", "WRITE $/public|v", "OK|")
        Row("A", "SET_PERMS $/public|n0|r5|", "OK|")
        Row("A", "WRITE $/all|v", "OK|")
        Row("A", "SET_PERMS $/all|r0|", "OK|")
        Row("G", "READ $/secret/x|", "EACCES")
        Row("G", "READ $/secret/none|", .differs("EACCES", oxenstored: "ENOENT"))
        Row("G", "READ $/none|", .differs("EACCES", oxenstored: "ENOENT"))
        Row("G", "READ $/none/below|", .differs("EACCES", oxenstored: "ENOENT"))
        Row("G", "GET_PERMS $/secret|", "EACCES")
        Row("G", "DIRECTORY $|", "EACCES")
        Row("G", "READ $/public|", "v")
        Row("G", "READ $/public/none|", "ENOENT")
        Row("G", "GET_PERMS $/public|", "n0|r5|")
        Row("G", "DIRECTORY $/all|", "")
        Row("A", "SET_PERMS $/public|n0|n5|r5|", "OK|")
        Row("G", "READ $/public|", "EACCES")
        Row("A", "SET_PERMS $/public|r0|n5|", "OK|")
        Row("G", "READ $/public|", "EACCES")
    },
    Scenario("a guest writes") {
        Row("A", "WRITE $/r|v", "OK|")
        Row("A", "SET_PERMS $/r|n0|r5|", "OK|")
        Row("A", "WRITE $/w|v", "OK|")
        Row("A", "SET_PERMS $/w|n0|w5|", "OK|")
        Row("G", "WRITE $/r|x", "EACCES")
        Row("G", "WRITE $/r/new|x", "EACCES")
        Row("G", "MKDIR $/r|", "EACCES")
        Row("G", "MKDIR $/new|", "EACCES")
        Row("G", "RM $/r|", "EACCES")
        Row("G", "RM $/r/none|", .differs("EACCES", oxenstored: "OK|"))
        Row("G", "READ $/w|", "EACCES")
        Row("G", "WRITE $/w|x", "OK|")
        Row("A", "READ $/w|", "x")
        Row("G", "WRITE $/w/new|x", "OK|")
        Row("A", "GET_PERMS $/w/new|", .differs("n5|w5|", oxenstored: "n0|w5|"))
        Row("G", "RM $/w/new|", "OK|")
        Row("G", "RM $/w|", "OK|")
        Row("A", "READ $/w|", "ENOENT")
    },
    Scenario("a guest sets permissions") {
        Row("A", "WRITE $/mine|v", "OK|")
        Row("A", "SET_PERMS $/mine|n5|", "OK|")
        Row("A", "WRITE $/both|v", "OK|")
        Row("A", "SET_PERMS $/both|b0|", "OK|")
        Row("G", "SET_PERMS $/both|n0|", "EACCES")
        Row("G", "SET_PERMS $/mine|r5|w1|", "OK|")
        Row("A", "GET_PERMS $/mine|", "r5|w1|")
        Row("G", "SET_PERMS $/mine|n0|", .differs("EPERM", oxenstored: "EACCES"))
        Row("G", "SET_PERMS $/mine|n5|r0|r1|r2|r1|", "OK|")
        Row("G", "SET_PERMS $/mine|n5|r0|r1|r2|r1|r2|", .differs("ENOSPC", oxenstored: "OK|"))
        Row("G", "SET_PERMS $/none|n5|", .differs("EACCES", oxenstored: "ENOENT"))
    },
    Scenario("a guest at home") {
        Row("A", "MKDIR /local/domain/5|", "OK|")
        Row("A", "SET_PERMS /local/domain/5|n5|", "OK|")
        Row("G", "WRITE data/x|v", "OK|")
        Row("G", "GET_PERMS data/x|", "n5|")
        Row("A", "READ /local/domain/5/data/x|", "v")
        Row("G", "WRITE data/x|\(long(2015))", "OK|")
        // What a node takes beside its value is less in 4.20.
        for (count, c420) in [(2016, "OK|"), (2024, "OK|"), (2025, "ENOSPC")] {
            [
                Row(
                    "G",
                    "WRITE data/x|\(long(count))",
                    .differs("ENOSPC", xenstored: [.xen420: c420], oxenstored: "OK|")
                )
            ]
        }
        Row("G", "WRITE data/x|\(long(2049))", .differs("ENOSPC", oxenstored: "E2BIG"))
        Row("G", "READ \(long(2048))|", .differs("ENOENT", oxenstored: "EINVAL"))
        Row("G", "READ \(long(2049))|", "EINVAL")
        Row("A", "RM /local/domain/5|", "OK|")
    },
    Scenario("a guest takes much") {
        Row("A", "WRITE $/free|", "OK|")
        Row("A", "SET_PERMS $/free|b0|", "OK|")
        Row("G", "RESET_WATCHES |", "OK|")
        // Both allow one more than the quota says.
        (1...11).map { _ in Row("G", "TRANSACTION_START |", "#|") }
        Row("G", "TRANSACTION_START |", .differs("ENOSPC", oxenstored: "EQUOTA"))
        (1...101).map { Row("G", "WATCH $/free|\($0)|", "OK|", ["G $/free \($0)"]) }
        (102...129).map {
            let servers: [ServerKind] = [.store, .xenstored]
            return Row("G", "WATCH $/free|\($0)|", "OK|", ["G $/free \($0)"], only: servers)
        }
        Row("G", "WATCH $/free|more|", .differs("E2BIG", oxenstored: "EQUOTA"))
        Row("G", "RESET_WATCHES |", "OK|")
        Row("A", "SET_PERMS $/free|n5|", "OK|")
        Row("G", "WRITE $/free|\(long(2049))", .differs("ENOSPC", oxenstored: "E2BIG"))
        // Refused, and yet the node above was made.
        Row("G", "WRITE $/free/a/b|\(long(2049))", .differs("ENOSPC", oxenstored: "E2BIG"))
        Row("A", "DIRECTORY $/free|", .differs("", oxenstored: "a|"))
    },
    Scenario("a guest administers") {
        Row("G", "INTRODUCE 2|1|1|", "EACCES")
        Row("G", "RELEASE 2|", "EACCES")
        Row("G", "IS_DOMAIN_INTRODUCED 0|", "EACCES")
        Row("G", "RESUME 2|", "EACCES")
        Row("G", "SET_TARGET 5|2|", "EACCES")
        Row("G", "CONTROL check|", .differs("EACCES", oxenstored: "OK|"))
        Row("G", "GET_DOMAIN_PATH 7|", "/local/domain/7|")
    },
]
