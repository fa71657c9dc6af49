/// What one entry of a key's permissions allows.
public struct Access: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let read = Access(rawValue: 1)
    public static let write = Access(rawValue: 2)

    /// The protocol's letter: `n`, `r`, `w` or `b`.
    public var letter: Character {
        switch (contains(.read), contains(.write)) {
        case (false, false): "n"
        case (true, false): "r"
        case (false, true): "w"
        case (true, true): "b"
        }
    }

    /// Parses the protocol's letter.
    public init?(letter: UInt8) {
        switch letter {
        case UInt8(ascii: "n"): self = []
        case UInt8(ascii: "r"): self = .read
        case UInt8(ascii: "w"): self = .write
        case UInt8(ascii: "b"): self = [.read, .write]
        default: return nil
        }
    }
}

/// One entry of a key's permissions: a domain and what it may do.
public struct PermissionEntry: Hashable, Sendable, CustomStringConvertible {
    public var domain: DomainID
    public var access: Access

    public init(_ domain: DomainID, _ access: Access) {
        self.domain = domain
        self.access = access
    }

    /// Parses a letter and a decimal domain, `r5`.
    public init?(_ bytes: some Collection<UInt8>) {
        guard let first = bytes.first, let access = Access(letter: first),
            let domain = DomainID(decimal: bytes.dropFirst())
        else { return nil }
        self.init(domain, access)
    }

    public var description: String { "\(access.letter)\(domain)" }
}

/// The permissions of a key: its owner, what all unlisted domains may do, and the listed domains.
public struct Permissions: Hashable, Sendable, CustomStringConvertible {
    /// The domain that may do everything with the key, and that sets these permissions.
    public var owner: DomainID

    /// What a domain may do that has no entry of its own.
    public var everyone: Access

    /// The domains with an entry of their own, in the store's order. The first entry for a domain
    /// counts.
    public var entries: [PermissionEntry]

    public init(owner: DomainID, everyone: Access = [], entries: [PermissionEntry] = []) {
        self.owner = owner
        self.everyone = everyone
        self.entries = entries
    }

    /// What `domain` may do with the key, were it not privileged.
    public func access(of domain: DomainID) -> Access {
        if domain == owner { return [.read, .write] }
        return entries.first { $0.domain == domain }?.access ?? everyone
    }

    /// Parses the payload of a GET_PERMS reply or the tail of a SET_PERMS request: entries that
    /// each end with a NUL.
    public init?(payload: some BidirectionalCollection<UInt8>) {
        guard payload.last == 0 else { return nil }
        self.init(entries: payload.dropLast(), separator: 0)
    }

    /// Parses the text form `n0,r5`.
    public init?(text: some Collection<UInt8>) {
        self.init(entries: text, separator: UInt8(ascii: ","))
    }

    private init?(entries: some Collection<UInt8>, separator: UInt8) {
        // Not by the collection's own methods: outside of this module each step would be a call
        // that looks the type up, and most answers about a key have permissions.
        let parsed = entries.withContiguousStorageIfAvailable { bytes in
            Self(bytes: bytes, separator: separator)
        }
        guard let permissions = parsed ?? Self(entries: Array(entries), separator: separator) else {
            return nil
        }
        self = permissions
    }

    private init?(bytes: UnsafeBufferPointer<UInt8>, separator: UInt8) {
        var start = bytes.startIndex
        var first: PermissionEntry?
        var rest: [PermissionEntry] = []
        while true {
            let end = bytes[start...].firstIndex(of: separator) ?? bytes.endIndex
            guard let entry = PermissionEntry(bytes[start..<end]) else { return nil }
            if first == nil { first = entry } else { rest.append(entry) }
            guard end < bytes.endIndex else { break }
            start = end + 1
        }
        guard let first else { return nil }
        self.init(owner: first.domain, everyone: first.access, entries: rest)
    }

    /// All entries, the owner's first, as the protocol orders them.
    public var allEntries: [PermissionEntry] {
        [PermissionEntry(owner, everyone)] + entries
    }

    /// Appends each entry and a NUL.
    public func encode(into bytes: inout [UInt8]) {
        for entry in allEntries {
            bytes.append(contentsOf: entry.description.utf8)
            bytes.append(0)
        }
    }

    /// The text form `n0,r5`.
    public var description: String {
        allEntries.map(\.description).joined(separator: ",")
    }
}
