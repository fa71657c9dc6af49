import Glibc
import MountSupport
import XenstoreClient
import XenstoreProtocol

/// Another client of a mount's store whose changes are done when the mount has been told of them:
/// with `cache=watch` a program may see the old until then, and not a moment longer.
final class ToldAccess: XenstoreAccess {
    private let base: any XenstoreAccess
    /// The stream of all changes that the mount is told of.
    private let stream: Int32
    private var count = 0

    init(_ base: any XenstoreAccess, mountpoint: String) throws {
        self.base = base
        stream = open(mountpoint + "/.watch", O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard stream >= 0 else { throw TestFailure("no stream: \(errno)") }
    }

    deinit {
        Glibc.close(stream)
    }

    var payloadLimit: Int { base.payloadLimit }

    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        let answer = try await base.send(request, in: transaction)
        switch request {
        case .write, .makeDirectory, .remove, .setPermissions:
            if transaction == .none { try await waitUntilTold() }
        case .transactionEnd(commit: true): try await waitUntilTold()
        default: break
        }
        return answer
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        let answers = await base.send(requests, in: transaction)
        if transaction == .none, requests.contains(where: { !$0.isReadOnly }) {
            try? await waitUntilTold()
        }
        return answers
    }

    func post(_ request: Request, in transaction: TransactionID) {
        base.post(request, in: transaction)
    }

    /// Events come in the order of the changes: one more change, and its line.
    private func waitUntilTold() async throws(XenstoreError) {
        count += 1
        let marker = "/told-\(count % 16)"
        guard let path = try? XenstorePath(marker) else { throw .malformedReply }
        _ = try await base.send(.write(path, value: []), in: .none)
        var lines = ""
        var waiting = pollfd(fd: stream, events: Int16(POLLIN), revents: 0)
        while !lines.contains(marker + "\n") {
            guard poll(&waiting, 1, 5000) == 1 else { throw .timedOut }
            var bytes = [UInt8](repeating: 0, count: 65536)
            let size = Glibc.read(stream, &bytes, bytes.count)
            guard size > 0 else { throw .malformedReply }
            lines += String(decoding: bytes[..<size], as: UTF8.self)
        }
    }
}
