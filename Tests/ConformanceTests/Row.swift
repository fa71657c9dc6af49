import Testing

/// The servers that the table is replayed on.
enum ServerKind: CaseIterable {
    /// Ours.
    case store
    /// The C daemon of Xen 4.17, as Debian ships it.
    case xenstored
    /// The OCaml daemon of the same.
    case oxenstored
    /// Ours with `--compatibility oxenstored`.
    case compatibleStore

    /// Whether it is oxenstored or stands for it.
    var isLikeOxenstored: Bool { self == .oxenstored || self == .compatibleStore }
}

/// A value that servers may differ in.
struct Expected<Value> {
    let value: Value
    var exceptions: [ServerKind: Value] = [:]

    func callAsFunction(_ kind: ServerKind) -> Value {
        let model = kind == .compatibleStore ? exceptions[.oxenstored] : nil
        return exceptions[kind] ?? model ?? value
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
        store: String? = nil,
        xenstored: String? = nil,
        oxenstored: String? = nil,
        compatibleStore: String? = nil
    ) -> Expected {
        var exceptions: [ServerKind: String] = [:]
        exceptions[.compatibleStore] = compatibleStore
        exceptions[.store] = store
        exceptions[.xenstored] = xenstored
        exceptions[.oxenstored] = oxenstored
        return Expected(value: text, exceptions: exceptions)
    }
}

extension Expected: ExpressibleByArrayLiteral where Value == [String] {
    init(arrayLiteral events: String...) { self.init(value: events) }

    /// Events that are others from some servers.
    static func differ(
        _ events: [String],
        store: [String]? = nil,
        xenstored: [String]? = nil,
        oxenstored: [String]? = nil
    ) -> Expected {
        var exceptions: [ServerKind: [String]] = [:]
        exceptions[.store] = store
        exceptions[.xenstored] = xenstored
        exceptions[.oxenstored] = oxenstored
        return Expected(value: events, exceptions: exceptions)
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
    let location: SourceLocation

    /// Who asks what.
    var text: String { "\(caller) \(request)" }

    init(
        _ caller: String,
        _ request: String,
        _ reply: Expected<String>,
        _ events: Expected<[String]> = [],
        only servers: [ServerKind] = ServerKind.allCases,
        location: SourceLocation = #_sourceLocation
    ) {
        self.caller = caller
        self.request = request
        self.reply = reply
        self.events = events
        self.servers = servers
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
