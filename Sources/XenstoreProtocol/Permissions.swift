/// What one entry of a key's permissions allows.
public struct AccessMode: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let read = AccessMode(rawValue: 1)
    public static let write = AccessMode(rawValue: 2)

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
///
/// A guest can have the daemons keep numbers that no domain has, as in `r-1` and `r70000`.
/// Such an entry gives nobody anything. It stays as it is.
public struct PermissionEntry: Hashable, Sendable, CustomStringConvertible {
    /// The number that the entry names, a domain's or not.
    public let number: Int64
    public var access: AccessMode

    public init(_ domain: DomainID, _ access: AccessMode) {
        self.init(number: Int64(domain.rawValue), access)
    }

    public init(number: Int64, _ access: AccessMode) {
        self.number = number
        self.access = access
    }

    /// Parses a letter and a decimal number, `r5`. A number that is greater than all, or less, is
    /// the greatest, or the least.
    public init?(_ bytes: some Collection<UInt8>) {
        guard let first = bytes.first, let access = AccessMode(letter: first),
            let number = Self.number(bytes.dropFirst())
        else { return nil }
        self.init(number: number, access)
    }

    /// The domain; ``DomainID/nobody`` where the number is no domain's.
    public var domain: DomainID {
        UInt32(exactly: number).map { DomainID($0) } ?? .nobody
    }

    public var description: String { "\(access.letter)\(number)" }

    /// The form for SET_PERMS. oxenstored shows its negative numbers as those from 2^62 on, and
    /// takes them as negative ones alone; for C xenstored both are the same.
    var requestForm: String {
        number >= 1 << 62 ? "\(access.letter)\(number + Int64.min)" : description
    }

    private static func number(_ bytes: some Collection<UInt8>) -> Int64? {
        let isNegative = bytes.first == UInt8(ascii: "-")
        let digits = isNegative ? bytes.dropFirst() : bytes.dropFirst(0)
        guard !digits.isEmpty else { return nil }
        var number: Int64 = 0
        var isTooFar = false
        for byte in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let digit = Int64(byte - UInt8(ascii: "0"))
            let (product, overflowed) = number.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(isNegative ? -digit : digit)
            isTooFar = isTooFar || overflowed || carried
            number = sum
        }
        return isTooFar ? (isNegative ? .min : .max) : number
    }
}

/// The permissions of a key: its owner, what all unlisted domains may do, and the listed domains.
public struct Permissions: Hashable, Sendable, CustomStringConvertible {
    /// The domain that may do everything with the key, and that sets these permissions;
    /// ``DomainID/nobody`` where the number is no domain's.
    public var owner: DomainID {
        didSet {
            guard isOwnerListed, owner != oldValue else { return }
            listed.removeFirst()
            isOwnerListed = false
        }
    }

    /// What a domain may do that has no entry of its own.
    public var everyone: AccessMode

    /// Whether the first of ``listed`` is the owner's: where its number is no domain's. There are
    /// hardly any, and many permissions.
    private var isOwnerListed = false
    private var listed: [PermissionEntry]

    /// The domains with an entry of their own, in the store's order. The first entry for a domain
    /// counts.
    public var entries: [PermissionEntry] {
        get { isOwnerListed ? Array(listed.dropFirst()) : listed }
        set { listed = listed.prefix(isOwnerListed ? 1 : 0) + newValue }
    }

    /// Those of ``entries`` that may give a domain anything.
    public var entriesOfDomains: [PermissionEntry] { entries.filter(\.domain.isPossible) }

    public init(owner: DomainID, everyone: AccessMode = [], entries: [PermissionEntry] = []) {
        self.owner = owner
        self.everyone = everyone
        listed = entries
    }

    /// The permissions of these entries, the owner's first.
    public init(_ first: PermissionEntry, _ rest: [PermissionEntry]) {
        self.init(owner: first.domain, everyone: first.access, entries: rest)
        if first.domain == .nobody {
            listed.insert(first, at: 0)
            isOwnerListed = true
        }
    }

    /// What `domain` may do with the key, were it not privileged.
    public func access(of domain: DomainID) -> AccessMode {
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
        self.init(first, rest)
    }

    /// All entries, the owner's first, as the protocol orders them.
    public var allEntries: [PermissionEntry] {
        guard isOwnerListed else { return [PermissionEntry(owner, everyone)] + listed }
        return [PermissionEntry(number: listed[0].number, everyone)] + listed.dropFirst()
    }

    /// Appends each entry as SET_PERMS takes it, and a NUL.
    func encodeRequest(into bytes: inout [UInt8]) {
        for entry in allEntries {
            bytes.append(contentsOf: entry.requestForm.utf8)
            bytes.append(0)
        }
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
