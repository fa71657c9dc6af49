import MountSupport
import Testing

/// The servers that the table is replayed on.
enum ServerKind: CaseIterable {
    /// Ours.
    case store
    /// Xen's daemon in C, as Debian ships it.
    case xenstored
    /// Xen's daemon in OCaml, as Debian ships it.
    case oxenstored
    /// Ours with `--compatibility oxenstored`.
    case compatibleStore

    /// Whether it is oxenstored or stands for it.
    var isLikeOxenstored: Bool { self == .oxenstored || self == .compatibleStore }

    /// Whether it is no daemon of Xen.
    var isOurs: Bool { self == .store || self == .compatibleStore }
}

/// What a daemon answers, which newer versions of it may do otherwise.
struct ByVersion<Value> {
    /// Each holds from its version on.
    private let values: [XenVersion: Value]

    init(_ value: Value) { values = [.xen417: value] }

    /// - Returns: nil where it answers as all others do.
    func value(in version: XenVersion) -> Value? {
        values.filter { $0.key <= version }.max { $0.key < $1.key }?.value
    }
}

extension ByVersion: Sendable where Value: Sendable {}

extension ByVersion: ExpressibleByDictionaryLiteral {
    init(dictionaryLiteral elements: (XenVersion, Value)...) {
        values = Dictionary(elements) { first, _ in first }
    }
}

extension ByVersion: ExpressibleByUnicodeScalarLiteral where Value == String {}
extension ByVersion: ExpressibleByExtendedGraphemeClusterLiteral where Value == String {}
extension ByVersion: ExpressibleByStringLiteral where Value == String {
    init(stringLiteral text: String) { self.init(text) }
}
extension ByVersion: ExpressibleByStringInterpolation where Value == String {}

extension ByVersion: ExpressibleByArrayLiteral where Value == [String] {
    init(arrayLiteral events: String...) { self.init(events) }
}

/// A value that servers may differ in.
struct Expected<Value> {
    let value: Value
    var exceptions: [ServerKind: ByVersion<Value>] = [:]

    /// - Parameter version: that of a daemon. Our own store follows 4.17's.
    func callAsFunction(_ kind: ServerKind, _ version: XenVersion) -> Value {
        let model = kind == .compatibleStore ? exceptions[.oxenstored] : nil
        return (exceptions[kind] ?? model)?.value(in: kind.isOurs ? .xen417 : version) ?? value
    }

    /// The same from all servers but some.
    private static func differs(
        _ value: Value,
        _ exceptions: [(ServerKind, ByVersion<Value>?)]
    ) -> Expected {
        var expected = Expected(value: value)
        for (kind, exception) in exceptions { expected.exceptions[kind] = exception }
        return expected
    }
}

extension Expected: Sendable where Value: Sendable {}

extension Expected: ExpressibleByUnicodeScalarLiteral where Value == String {}
extension Expected: ExpressibleByExtendedGraphemeClusterLiteral where Value == String {}
extension Expected: ExpressibleByStringLiteral where Value == String {
    init(stringLiteral text: String) { self.init(value: text) }

    /// A reply that is another from some servers.
    static func differs(
        _ text: String,
        store: ByVersion<String>? = nil,
        xenstored: ByVersion<String>? = nil,
        oxenstored: ByVersion<String>? = nil,
        compatibleStore: ByVersion<String>? = nil
    ) -> Expected {
        differs(
            text,
            [
                (.store, store), (.xenstored, xenstored), (.oxenstored, oxenstored),
                (.compatibleStore, compatibleStore),
            ]
        )
    }
}

extension Expected: ExpressibleByArrayLiteral where Value == [String] {
    init(arrayLiteral events: String...) { self.init(value: events) }

    /// Events that are others from some servers.
    static func differ(
        _ events: [String],
        store: ByVersion<[String]>? = nil,
        xenstored: ByVersion<[String]>? = nil,
        oxenstored: ByVersion<[String]>? = nil
    ) -> Expected {
        differs(
            events,
            [(.store, store), (.xenstored, xenstored), (.oxenstored, oxenstored)]
        )
    }
}

/// One request, its reply, and the events that it brings to anyone.
///
/// In all texts `|` is a NUL and `$` the directory of the scenario.
struct Row {
    /// Who asks: `A` and `B` are domain 0, `G` is domain 5; `A.t` asks in the transaction that `A`
    /// began as `t`, and `A.99` in one of that number.
    let caller: String
    /// The type and the payload: `WRITE $/key|value`.
    let request: String
    /// The payload of the reply, in which `#` stands for any number; or the name of an error.
    let reply: Expected<String>
    /// Who hears what: `B $/key token`, in the order in which each of them hears it.
    let events: Expected<[String]>
    /// The servers that have what the row is about.
    let servers: [ServerKind]
    /// The first version of the daemons that has it.
    let firstVersion: XenVersion
    let location: SourceLocation

    /// Whether a server is asked.
    func concerns(_ kind: ServerKind, _ version: XenVersion) -> Bool {
        servers.contains(kind) && (kind.isOurs || version >= firstVersion)
    }

    /// Who asks what.
    var text: String { "\(caller) \(request)" }

    init(
        _ caller: String,
        _ request: String,
        _ reply: Expected<String>,
        _ events: Expected<[String]> = [],
        only servers: [ServerKind] = ServerKind.allCases,
        from firstVersion: XenVersion = .xen417,
        location: SourceLocation = #_sourceLocation
    ) {
        self.caller = caller
        self.request = request
        self.reply = reply
        self.events = events
        self.servers = servers
        self.firstVersion = firstVersion
        self.location = location
    }
}

/// Rows that follow each other, in a directory of their own.
struct Scenario: CustomTestStringConvertible, Sendable {
    let name: String
    let rows: @Sendable () -> [Row]

    init(_ name: String, @RowsBuilder _ rows: @escaping @Sendable () -> [Row]) {
        self.name = name
        self.rows = rows
    }

    var testDescription: String { name }

    /// What `$` stands for.
    var directory: String {
        "/conformance/" + String(name.map { $0.isLetter ? $0 : "-" })
    }
}

/// Lets a scenario be written as a list of rows and of arrays of rows.
@resultBuilder
enum RowsBuilder {
    static func buildExpression(_ row: Row) -> [Row] { [row] }
    static func buildExpression(_ rows: [Row]) -> [Row] { rows }
    static func buildArray(_ rows: [[Row]]) -> [Row] { rows.flatMap(\.self) }
    static func buildBlock(_ rows: [Row]...) -> [Row] { rows.flatMap(\.self) }
}
