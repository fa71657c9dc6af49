import ArgumentParser
import XenstoreProtocol

/// `ID=SOCKET`: whoever connects to the socket is that domain.
struct DomainSocket: ExpressibleByArgument {
    let domain: DomainID
    let path: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty, let number = UInt16(parts[0]), number > 0,
            DomainID(UInt32(number)) < .firstReserved
        else { return nil }
        domain = DomainID(UInt32(number))
        path = String(parts[1])
    }
}
