/// The number of a Xen domain: 0 is the privileged domain, unprivileged ones count from 1.
///
/// The hypervisor uses 16 bits; the protocol writes decimals, and servers take any 32-bit number.
public struct DomainID: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Parses the decimal form that the protocol uses, without sign, blanks or leading `+`.
    public init?(decimal bytes: some Collection<UInt8>) {
        guard let number = UInt32(decimal: bytes) else { return nil }
        self.init(number)
    }

    /// The privileged domain.
    public static let privileged = DomainID(0)

    /// The numbers from here on name no domain: the hypervisor has other uses for them
    /// (`DOMID_FIRST_RESERVED`).
    public static let firstReserved = DomainID(0x7FF0)

    /// Whether a domain can have this number.
    public var isPossible: Bool { self < .firstReserved }

    /// Stands where a number is no domain's, in permissions. No client is this domain.
    public static let nobody = DomainID(.max)

    public var description: String { String(rawValue) }

    public static func < (left: DomainID, right: DomainID) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// The number by which a client recognises the reply to one of its requests.
public struct RequestID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }
}

/// The number of an open transaction of one connection; zero is none.
public struct TransactionID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Outside every transaction: the request acts on the store at once.
    public static let none = TransactionID(0)
}

extension FixedWidthInteger {
    /// Parses decimal digits alone: no sign, no blanks, nil on overflow or on no digit at all.
    package init?(decimal bytes: some Collection<UInt8>) {
        guard !bytes.isEmpty else { return nil }
        var number: Self = 0
        for byte in bytes {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (product, overflowed) = number.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(Self(byte - UInt8(ascii: "0")))
            guard !overflowed, !carried else { return nil }
            number = sum
        }
        self = number
    }
}
