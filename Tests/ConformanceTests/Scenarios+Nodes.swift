import MountSupport
import Testing

/// Paths, values, children.
let nodeScenarios: [Scenario] = [
    Scenario("paths") {
        Row("A", "READ /a//b|", "EINVAL")
        Row("A", "READ /a/|", "EINVAL")
        Row("A", "READ //|", "EINVAL")
        Row("A", "READ |", "EINVAL")
        Row("A", "READ /a b|", "EINVAL")
        Row("A", "READ /a.b|", "EINVAL")
        Row("A", "READ /a:b|", "EINVAL")
        Row("A", "READ /..|", "EINVAL")
        Row("A", "READ /é|", "EINVAL")
        Row("A", "READ $", "EINVAL")
        Row("A", "READ $|x|", "EINVAL")
        Row("A", "READ /-_@9|", "ENOENT")
        Row("A", "WRITE /a//b|v", "EINVAL")
        Row("A", "WRITE |v", "EINVAL")
        Row("A", "MKDIR /a b|", "EINVAL")
        Row("A", "RM /a/|", "EINVAL")
        Row("A", "WRITE $/@x-_9|v", "OK|")
        Row("A", "READ $/@x-_9|", "v")
    },
    Scenario("length of paths") {
        Row("A", "READ /\(long(1023))|", "ENOENT")
        Row("A", "READ /\(long(2047))|", .differs("ENOENT", oxenstored: "EINVAL"))
        // From 4.18 on C bounds what guests ask alone.
        Row("A", "READ /\(long(2048))|", .differs("EINVAL", xenstored: [.xen420: "ENOENT"]))
        Row("A", "READ \(long(2048))|", .differs("ENOENT", oxenstored: "EINVAL"))
        Row("A", "READ \(long(2049))|", .differs("EINVAL", xenstored: [.xen420: "ENOENT"]))
        Row("A", "READ /local/domain/0/\(long(2048))|", .differs("ENOENT", oxenstored: "EINVAL"))
        Row(
            "A",
            "READ /local/domain/0/\(long(2049))|",
            .differs("EINVAL", xenstored: [.xen420: "ENOENT"])
        )
        Row("A", "READ /\(long(4094))|", .differs("EINVAL", xenstored: [.xen420: "ENOENT"]))
    },
    Scenario("values") {
        Row("A", "WRITE $/v|a|b|", "OK|")
        Row("A", "READ $/v|", "a|b|")
        Row("A", "WRITE $/v|", "OK|")
        Row("A", "READ $/v|", "")
        Row("A", "WRITE $/v|é\n\t\\\"", "OK|")
        Row("A", "READ $/v|", "é\n\t\\\"")
        Row("A", "WRITE $/v|\(long(2048))", "OK|")
        Row("A", "READ $/v|", .init(value: long(2048)))
        Row("A", "WRITE $/v|\(long(4000))", .differs("OK|", oxenstored: "E2BIG"))
        Row("A", "READ $/none|", "ENOENT")
        Row("A", "READ $/none/below|", "ENOENT")
        Row("A", "WRITE $/v", "EINVAL")
    },
    Scenario("making") {
        Row("A", "WRITE $/a/b/c|v", "OK|")
        Row("A", "READ $/a/b|", "")
        Row("A", "DIRECTORY $/a|", "b|")
        Row("A", "MKDIR $/m|", "OK|")
        Row("A", "READ $/m|", "")
        Row("A", "WRITE $/m|kept", "OK|")
        Row("A", "MKDIR $/m|", "OK|")
        Row("A", "READ $/m|", "kept")
        Row("A", "MKDIR $/p/q/r|", "OK|")
        Row("A", "DIRECTORY $/p/q|", "r|")
        Row("A", "DIRECTORY $/p/q/r|", "")
        Row("A", "DIRECTORY $/none|", "ENOENT")
        Row("A", "MKDIR /|", "OK|")
    },
    Scenario("order of children") {
        Row("A", "WRITE $/b|", "OK|")
        Row("A", "WRITE $/a|", "OK|")
        Row("A", "WRITE $/c|", "OK|")
        Row("A", "DIRECTORY $|", .differs("b|a|c|", oxenstored: "a|b|c|"))
        Row("A", "RM $/b|", "OK|")
        Row("A", "WRITE $/a|again", "OK|")
        Row("A", "WRITE $/b|", "OK|")
        Row("A", "DIRECTORY $|", .differs("a|c|b|", oxenstored: "a|b|c|"))
    },
    Scenario("removal") {
        Row("A", "WRITE $/a/b/c|v", "OK|")
        Row("A", "RM $/a|", "OK|")
        Row("A", "READ $/a/b/c|", "ENOENT")
        Row("A", "READ $/a|", "ENOENT")
        Row("A", "DIRECTORY $|", "")
        Row("A", "RM $/a|", "OK|")
        Row("A", "RM $/a/b|", "ENOENT")
        Row("A", "RM $/a/b/c|", "ENOENT")
        Row("A", "RM /|", "EINVAL", only: [.store, .xenstored])
        Row("A", "RM @releaseDomain|", "EINVAL", only: [.store, .xenstored])
    },
    Scenario("relative paths") {
        Row("A", "WRITE conformance-relative/x|v", "OK|")
        Row("A", "READ /local/domain/0/conformance-relative/x|", "v")
        Row("A", "DIRECTORY conformance-relative|", "x|")
        Row("A", "RM conformance-relative|", "OK|")
        Row("A", "READ /local/domain/0/conformance-relative|", "ENOENT")
    },
    Scenario("lists in parts") {
        Row("A", "WRITE $/b|", "OK|")
        Row("A", "WRITE $/ac|", "OK|")
        Row("A", "DIRECTORY_PART $|0|", .differs("#|b|ac||", oxenstored: "ENOSYS"))
        Row("A", "DIRECTORY_PART $|2|", .differs("#|ac||", oxenstored: "ENOSYS"))
        Row("A", "DIRECTORY_PART $|5|", .differs("#||", oxenstored: "ENOSYS"))
        Row("A", "DIRECTORY_PART $|99|", .differs("#||", oxenstored: "ENOSYS"))
        Row("A", "DIRECTORY_PART $/b|0|", .differs("#||", oxenstored: "ENOSYS"))
        Row("A", "DIRECTORY_PART $/none|0|", .differs("ENOENT", oxenstored: "ENOSYS"))
        Row("A", "DIRECTORY_PART $|", .differs("EINVAL", oxenstored: "ENOSYS"))
    },
    Scenario("lists that do not fit") {
        numbers(500).map { Row("A", "WRITE $/child-\($0)|", "OK|") }
        Row("A", "DIRECTORY $|", .differs("E2BIG", oxenstored: ByVersion(names(500))))
        // As many whole names as fit beside a generation of three or four digits.
        Row(
            "A",
            "DIRECTORY_PART $|0|",
            .differs("#|" + names(371), oxenstored: "ENOSYS")
        )
        Row(
            "A",
            "DIRECTORY_PART $|5489|",
            .differs("#|child-1499||", oxenstored: "ENOSYS")
        )
    },
    Scenario("types") {
        Row("A", "15 |", "ENOSYS")
        Row("A", "16 |", "ENOSYS")
        Row("A", "27 |", "ENOSYS")
        Row("A", "100 |", "ENOSYS")
        Row("A", "65535 |", "ENOSYS")
        Row("A", "4294967295 |", "ENOSYS")
        Row("A", "READ $|", "")
    },
]

/// So many bytes of a name or a value.
func long(_ count: Int) -> String {
    String(decoding: [UInt8](repeating: UInt8(ascii: "x"), count: count), as: UTF8.self)
}

/// Four-digit numbers, so that their names sort as they count.
func numbers(_ count: Int) -> [Int] { (1000..<(1000 + count)).map(\.self) }

/// A list of names with those numbers.
func names(_ count: Int) -> String { numbers(count).map { "child-\($0)|" }.joined() }
