// The handshake of a device's two halves, by their keys `state` (xen/include/public/io/xenbus.h).
//
//     handshake toolstack|backend|frontend GUEST [SOCKET]
//
// The toolstack makes the keys of a device `example/0` of the guest; then backend and frontend,
// in any order, tell each other what they need, and connect. When the frontend's standard input
// ends they disconnect.

import Glibc
import XenstoreClient
import XenstoreProtocol

/// Where half of a device is in its life.
enum BusState: Int {
    case initialising = 1
    case initialised = 3
    case connected = 4
    case closing = 5
    case closed = 6
}

@main
struct Handshake {
    let client: Xenstore
    let guest: DomainID

    private var frontend: String { "/local/domain/\(guest)/device/example/0" }
    private var backend: String { "/local/domain/0/backend/example/\(guest)/0" }

    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard (2...3).contains(arguments.count), let number = UInt32(arguments[1]) else {
            say("usage: handshake toolstack|backend|frontend GUEST [SOCKET]")
            exit(2)
        }
        do {
            let address = arguments.count > 2 ? StoreAddress.socket(arguments[2]) : nil
            let client = try await Xenstore(to: address)
            let device = Handshake(client: client, guest: DomainID(number))
            switch arguments[0] {
            case "toolstack": try await device.make()
            case "backend": try await device.runBackend()
            case "frontend": try await device.runFrontend()
            default: throw ClientError(.control, .invalidArgument("no role '\(arguments[0])'"))
            }
            await client.close()
        } catch {
            say("handshake: \(error)")
            exit(1)
        }
    }

    // MARK: Roles

    /// Makes both halves in one transaction, each owned by its domain and readable by the other.
    private func make() async throws {
        try await client.transaction { handle in
            for (path, other, owner, reader) in [
                (frontend, backend, guest, DomainID.privileged),
                (backend, frontend, DomainID.privileged, guest),
            ] {
                try await handle.write(
                    other,
                    to: "\(path)/\(path == frontend ? "backend" : "frontend")"
                )
                try await handle.write(BusState.initialising.rawValue, to: "\(path)/state")
                let permissions = Permissions(
                    owner: owner,
                    entries: [PermissionEntry(reader, .read)]
                )
                for key in try await handle.tree(at: path).nodes {
                    try await handle.setPermissions(permissions, of: key.path)
                }
            }
        }
        say("made")
    }

    private func runFrontend() async throws {
        // What the backend is to map, and the state that says it is there, as one.
        try await client.transaction { handle in
            try await handle.write(768, to: "\(frontend)/ring-ref")
            try await handle.write(9, to: "\(frontend)/event-channel")
            try await handle.write(BusState.initialised.rawValue, to: "\(frontend)/state")
        }
        try await wait(for: .connected, of: backend)
        let size = try await client.readInteger("\(backend)/size", as: UInt64.self)
        try await set(.connected, of: frontend)
        say("connected to a device of \(size) bytes")
        // The main thread may wait: the client has one of its own.
        while getchar() != EOF {}
        try await set(.closing, of: frontend)
        try await wait(for: .closed, of: backend)
        try await set(.closed, of: frontend)
        say("closed")
    }

    private func runBackend() async throws {
        try await wait(for: .initialised, of: frontend)
        // Both in one round trip.
        let values = try await client.readMany([
            "\(frontend)/ring-ref", "\(frontend)/event-channel",
        ])
        let texts = try values.map { String(decoding: try $0.get(), as: UTF8.self) }
        say("ring \(texts[0]), event channel \(texts[1])")
        try await client.transaction { handle in
            try await handle.write(1_048_576, to: "\(backend)/size")
            try await handle.write(BusState.connected.rawValue, to: "\(backend)/state")
        }
        try await wait(for: .closing, of: frontend)
        try await set(.closed, of: backend)
        say("closed")
    }

    // MARK: States

    private func set(_ state: BusState, of half: String) async throws {
        try await client.write(state.rawValue, to: "\(half)/state")
    }

    /// Waits for a state, without asking again and again. A half that went away is an error.
    private func wait(for state: BusState, of half: String) async throws {
        try await client.wait(timeout: .seconds(60)) { handle in
            let now = try await handle.readInteger("\(half)/state")
            guard now == state.rawValue else { throw ConditionNotMet() }
        }
    }
}

/// Prints a line at once, also to a file.
private func say(_ line: String) {
    print(line)
    fflush(nil)
}
