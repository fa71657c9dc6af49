// A guest agent: publishes what the toolstack wants to know, and answers its requests.
//
//     guest-agent [SOCKET]
//
// Without a socket it uses the kernel's device, as in a guest. Paths are relative to the own
// domain's home, where the toolstack lets a guest write: `data`, `attr`, `control/shutdown`.

import Glibc
import XenstoreClient
import XenstoreProtocol

@main
struct GuestAgent {
    static func main() async {
        do {
            let address = CommandLine.arguments.dropFirst().first.map(StoreAddress.socket)
            let client = try await Xenstore(to: address)
            try await publish(client)
            try await answerRequests(client)
            await client.close()
        } catch {
            say("guest-agent: \(error)")
            exit(1)
        }
    }

    /// Tells about this guest, all at once: whoever reads never sees half of it.
    private static func publish(_ client: Xenstore) async throws {
        try await client.transaction { handle in
            try await handle.writeMany([
                (path: "attr/os/class", value: "unix"),
                (path: "attr/os/name", value: operatingSystem()),
                (path: "control/feature-poweroff", value: "1"),
                (path: "control/feature-reboot", value: "1"),
                (path: "control/feature-suspend", value: "1"),
                // Last: the toolstack takes it for the sign that all is there.
                (path: "data/updated", value: "1"),
            ])
        }
        say("published")
    }

    /// Waits for requests at `control/shutdown`, and does what they say, until the guest ends.
    private static func answerRequests(_ client: Xenstore) async throws {
        for try await _ in try await client.watch("control/shutdown") {
            guard let request = try await take(client) else { continue }
            say("asked to \(request)")
            switch request {
            case "poweroff", "halt", "reboot":
                // Here a real agent calls shutdown(8).
                return
            case "suspend":
                // No request is on its way while the domain is saved or moved, and transactions
                // that were open become conflicts. Here the kernel suspends.
                try await client.suspend()
                try await client.resume()
                say("back")
            default:
                try await client.write("unknown request: \(request)", to: "control/error")
            }
        }
    }

    /// Reads a request and acknowledges it, by an empty value, as one: a request that comes in
    /// between is not lost.
    private static func take(_ client: Xenstore) async throws -> String? {
        try await client.transaction { handle in
            guard try await handle.exists("control/shutdown") else { return nil }
            let request = try await handle.readText("control/shutdown")
            guard !request.isEmpty else { return nil }
            try await handle.write("", to: "control/shutdown")
            return request
        }
    }

    private static func operatingSystem() -> String {
        var name = utsname()
        guard uname(&name) == 0 else { return "unknown" }
        return withUnsafeBytes(of: name.sysname) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

/// Prints a line at once, also to a file.
private func say(_ line: String) {
    print(line)
    fflush(nil)
}
