import XenstoreProtocol

/// One change of a store, as a record of the journal keeps it: what is needed to make it again.
enum JournalEntry {
    case node(Transaction.Change)
    /// What the store knows of a domain.
    case domain(DomainID, DomainTable.Domain)
    /// A domain is gone, and its entries are out of all permissions.
    case forgotten(DomainID)
    /// The limit of all domains that have none of their own.
    case quota(Quota, UInt32)
    /// Nothing is left but the root and the special nodes: what follows is all there is.
    case cleared
}

/// Why the bytes of a record are not one, or do not follow from what came before them.
public struct JournalError: Error, Hashable, Sendable {}

/// Which change follows in a record.
private enum Mark: UInt8 {
    case create = 1
    case value
    case permissions
    case remove
    case domain
    case forgotten
    case quota
    case cleared
    /// Nodes that come at once, each below the one before.
    case createChain
    /// A node whose path begins like that of the creation before.
    case createNext
}

/// Writes changes into a record. Numbers are little endian, texts have their length before them.
struct JournalEncoder {
    /// In the byte of what an entry allows: four more bytes of the number follow.
    static let longNumber: UInt8 = 0x80

    private(set) var bytes: [UInt8] = []
    /// The path of the last creation in it: those of a deep tree are long, and much alike.
    private var lastPath: [UInt8] = []

    mutating func append(_ change: JournalEntry) {
        switch change {
        case .node(.create(let path, let levels, let value, let permissions)):
            appendCreation(path, levels)
            append(value)
            append(permissions)
        case .node(.setValue(let path, let value)):
            append(.value, path)
            append(value)
        case .node(.setPermissions(let path, let permissions)):
            append(.permissions, path)
            append(permissions)
        case .node(.remove(let path)): append(.remove, path)
        case .domain(let domain, let state):
            append(mark: .domain)
            append(domain.rawValue)
            append(state)
        case .forgotten(let domain):
            append(mark: .forgotten)
            append(domain.rawValue)
        case .quota(let quota, let value):
            append(mark: .quota)
            append(Array(quota.rawValue.utf8))
            append(value)
        case .cleared: append(mark: .cleared)
        }
    }

    mutating func takeAll() -> [UInt8] {
        defer {
            bytes = []
            lastPath = []
        }
        return bytes
    }

    /// Appends the creation of a node below one of those on the path of the creation before, given
    /// by the bytes of that one's path: in a deep tree paths are long.
    mutating func appendCreation(
        of name: String,
        below length: Int,
        value: [UInt8],
        permissions: Permissions
    ) {
        let suffix = Array("/".utf8) + Array(name.utf8)
        append(mark: .createNext)
        append(UInt32(length))
        append(suffix)
        append(value)
        append(permissions)
        lastPath.removeSubrange(length...)
        lastPath.append(contentsOf: suffix)
    }

    private mutating func appendCreation(_ path: StorePath, _ levels: Int) {
        let path = Array(path.text.utf8)
        let common = zip(path, lastPath).prefix { $0 == $1 }.count
        if levels > 1 {
            append(mark: .createChain)
            append(UInt32(levels))
            append(path)
        } else if common > 4 {
            append(mark: .createNext)
            append(UInt32(common))
            append(Array(path[common...]))
        } else {
            append(mark: .create)
            append(path)
        }
        lastPath = path
    }

    private mutating func append(mark: Mark) { bytes.append(mark.rawValue) }

    private mutating func append(_ mark: Mark, _ path: StorePath) {
        append(mark: mark)
        append(Array(path.text.utf8))
    }

    private mutating func append(_ text: [UInt8]) {
        append(UInt32(text.count))
        bytes.append(contentsOf: text)
    }

    private mutating func append(_ number: UInt32) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func append(_ permissions: Permissions) {
        append(UInt32(permissions.entries.count))
        for entry in permissions.allEntries {
            let number = UInt64(bitPattern: entry.number)
            append(UInt32(truncatingIfNeeded: number))
            if let high = UInt32(exactly: number >> 32), high != 0 {
                bytes.append(entry.access.rawValue | Self.longNumber)
                append(high)
            } else {
                bytes.append(entry.access.rawValue)
            }
        }
    }

    private mutating func append(_ domain: DomainTable.Domain) {
        bytes.append(domain.isIntroduced ? 1 : 0)
        append(optional: domain.target?.rawValue)
        append(optional: domain.features)
        append(UInt32(domain.quotas.count))
        for (quota, value) in domain.quotas {
            append(Array(quota.rawValue.utf8))
            append(value)
        }
    }

    private mutating func append(optional number: UInt32?) {
        bytes.append(number == nil ? 0 : 1)
        append(number ?? 0)
    }
}

/// Reads changes out of a record.
struct JournalDecoder {
    private var remaining: ArraySlice<UInt8>
    /// The path of the last creation in it.
    private var lastPath: [UInt8] = []

    init(_ record: ArraySlice<UInt8>) {
        remaining = record
    }

    /// The next change; nil at the end.
    mutating func next() throws(JournalError) -> JournalEntry? {
        guard !remaining.isEmpty else { return nil }
        guard let mark = Mark(rawValue: try byte()) else { throw JournalError() }
        switch mark {
        case .create, .createChain, .createNext: return .node(try creation(mark))
        case .value: return .node(.setValue(try path(), try bytes()))
        case .permissions: return .node(.setPermissions(try path(), try permissions()))
        case .remove: return .node(.remove(try path()))
        case .domain: return .domain(DomainID(try number()), try domain())
        case .forgotten: return .forgotten(DomainID(try number()))
        case .quota: return .quota(try quota(), try number())
        case .cleared: return .cleared
        }
    }

    private mutating func take(_ count: Int) throws(JournalError) -> ArraySlice<UInt8> {
        guard remaining.count >= count else { throw JournalError() }
        defer { remaining = remaining.dropFirst(count) }
        return remaining.prefix(count)
    }

    private mutating func byte() throws(JournalError) -> UInt8 {
        guard let byte = try take(1).first else { throw JournalError() }
        return byte
    }

    private mutating func number() throws(JournalError) -> UInt32 {
        try take(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    private mutating func bytes() throws(JournalError) -> [UInt8] {
        Array(try take(Int(try number())))
    }

    private mutating func creation(_ mark: Mark) throws(JournalError) -> Transaction.Change {
        let levels = mark == .createChain ? Int(try number()) : 1
        let common = mark == .createNext ? Int(try number()) : 0
        guard levels > 0, common <= lastPath.count else { throw JournalError() }
        lastPath = lastPath[..<common] + (try bytes())
        return .create(
            try Self.path(lastPath),
            levels: levels,
            value: try bytes(),
            permissions: try permissions()
        )
    }

    private mutating func path() throws(JournalError) -> StorePath { try Self.path(bytes()) }

    private static func path(_ bytes: [UInt8]) throws(JournalError) -> StorePath {
        guard let path = try? XenstorePath(bytes: bytes), path.isAbsolute || path.isSpecial
        else { throw JournalError() }
        return StorePath(text: path.text)
    }

    private mutating func quota() throws(JournalError) -> Quota {
        guard let quota = Quota(rawValue: String(decoding: try bytes(), as: UTF8.self)) else {
            throw JournalError()
        }
        return quota
    }

    private mutating func permissions() throws(JournalError) -> Permissions {
        let count = try number()
        var all: [PermissionEntry] = []
        for _ in 0...count {
            let low = UInt64(try number())
            let byte = try byte()
            let isLong = byte & JournalEncoder.longNumber != 0
            let high = isLong ? UInt64(try number()) << 32 : 0
            let access = AccessMode(rawValue: byte & ~JournalEncoder.longNumber)
            all.append(PermissionEntry(number: Int64(bitPattern: high | low), access))
        }
        return Permissions(all[0], Array(all.dropFirst()))
    }

    private mutating func domain() throws(JournalError) -> DomainTable.Domain {
        var domain = DomainTable.Domain()
        domain.isIntroduced = try byte() != 0
        domain.target = try optional().map { DomainID($0) }
        domain.features = try optional()
        for _ in 0..<(try number()) {
            let quota = try quota()
            domain.quotas[quota] = try number()
        }
        return domain
    }

    private mutating func optional() throws(JournalError) -> UInt32? {
        let isThere = try byte() != 0
        let number = try number()
        return isThere ? number : nil
    }
}
