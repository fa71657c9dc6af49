import SystemPackage
import XenstoreClient

/// Why the command fails, as one line for the user, and the status that it ends with.
struct CommandError: Error, CustomStringConvertible {
    let description: String
    let status: Int32

    init(_ description: String, status: Int32 = 1) {
        self.description = description
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

    /// Says so on standard error, as every program of the system says who speaks.
    func tell() {
        // Where standard error is closed there is nowhere left to say it.
        _ = try? FileDescriptor.standardError.writeAll("xsfs: \(self)\n".utf8)
    }
}
