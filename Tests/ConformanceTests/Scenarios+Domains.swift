import Testing

/// Domains and commands for the server itself.
let domainScenarios: [Scenario] = [
    Scenario("homes of domains") {
        Row("A", "GET_DOMAIN_PATH 0|", "/local/domain/0|")
        Row("A", "GET_DOMAIN_PATH 5|", "/local/domain/5|")
        Row("A", "GET_DOMAIN_PATH 99999|", "/local/domain/99999|")
        Row("A", "GET_DOMAIN_PATH 5", "EINVAL")
    },
    Scenario("coming and going") {
        Row("B", "WATCH @introduceDomain|in|", "OK|", ["B @introduceDomain in"])
        Row("B", "WATCH @releaseDomain|out|", "OK|", ["B @releaseDomain out"])
        Row("A", "IS_DOMAIN_INTRODUCED 0|", "T|")
        Row("A", "IS_DOMAIN_INTRODUCED 32752|", "T|")
        Row("A", "IS_DOMAIN_INTRODUCED 2|", "F|")
        Row("A", "INTRODUCE 2|", "EINVAL")
        Row("A", "INTRODUCE 2|1|0|", "EINVAL", only: [.store, .xenstored])
        Row("A", "INTRODUCE 2|1|1|", "OK|", ["B @introduceDomain in"])
        Row("A", "INTRODUCE 2|1|1|", "OK|")
        Row("A", "IS_DOMAIN_INTRODUCED 2|", "T|")
        Row("A", "RESUME 2|", "OK|")
        Row("A", "RESUME 1|", .differs("ENOENT", oxenstored: "EINVAL"))
        Row("A", "RESUME 0|", .differs("EINVAL", oxenstored: "OK|"))
        Row("A", "SET_TARGET 2|1|", .differs("ENOENT", oxenstored: "OK|"))
        Row("A", "SET_TARGET 2|", "EINVAL")
        Row("A", "WRITE $/theirs/below|", "OK|")
        Row("A", "SET_PERMS $/theirs|n2|", "OK|")
        Row("A", "WRITE $/shared|", "OK|")
        Row("A", "SET_PERMS $/shared|n0|r2|r5|", "OK|")
        Row("A", "RELEASE 2|", "OK|", ["B @releaseDomain out"])
        // What a dead domain owned goes with it, in C and ours; its entries go in oxenstored and
        // ours, while C ignores them.
        Row("A", "READ $/theirs|", .differs("ENOENT", oxenstored: "ENOENT"))
        Row("A", "GET_PERMS $/shared|", .differs("n0|r5|", xenstored: "n0|r2|r5|"))
        Row("A", "IS_DOMAIN_INTRODUCED 2|", "F|")
        Row("A", "RELEASE 2|", .differs("ENOENT", oxenstored: "EINVAL"))
        Row("A", "RELEASE 0|", "EINVAL", only: [.store, .xenstored])
    },
    Scenario("control") {
        Row("A", "CONTROL check|", "OK|")
        Row("A", "CONTROL none|", .differs("EINVAL", oxenstored: "OK|"))
        Row("A", "CONTROL |", .differs("EINVAL", oxenstored: "OK|"))
        Row("A", "CONTROL quota|set|nodes|1000|", "OK|")
        Row("A", "CONTROL quota|999|", .differs("ENOENT", oxenstored: "dom999 quota: not set|"))
    },
    Scenario("features and quotas of later versions") {
        Row(
            "A",
            "23 ",
            .differs("12|", xenstored: "ENOSYS", oxenstored: "ENOSYS"),
            only: [.store, .xenstored]
        )
        Row("A", "23 5|", .differs("12|", xenstored: "ENOSYS", oxenstored: "ENOSYS"))
        Row("A", "25 nodes|", .differs("1000|", xenstored: "ENOSYS", oxenstored: "ENOSYS"))
        Row("A", "25 none|", .differs("EINVAL", xenstored: "ENOSYS", oxenstored: "ENOSYS"))
        Row("A", "26 watches|128|", .differs("OK|", xenstored: "ENOSYS", oxenstored: "ENOSYS"))
    },
]
