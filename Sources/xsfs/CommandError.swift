import SystemPackage
import XenstoreClient

/// Why the command fails, as one line for the user, and the status that it ends with.
///
/// The text is as it is; what is not printable in it is made so where it is said.
struct CommandError: Error, CustomStringConvertible {
    /// The status of a wrong use, as that of the argument parser.
    static let usage: Int32 = 64

    let description: String
    /// Nothing, or a line break and more lines.
    let details: String
    let status: Int32

    init(_ description: String, details: String = "", status: Int32 = 1) {
        self.description = description
        self.details = details
        self.status = status
    }

    /// There is no way to a store.
    init(connectingTo address: StoreAddress, _ error: Errno) {
        let reason =
            switch (address, address.obstacle) {
            case (_, nil): "\(error)"
            case (.socket, let kind?): "it is \(kind)"
            case (.device, let kind?): "it is \(kind), and not the kernel's xenbus"
            }
        self.init("cannot connect to the \(address): \(reason)")
    }

    func tell() {
        Message.tell(description, details: details)
    }
}
