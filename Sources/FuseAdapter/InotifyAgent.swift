import CFuse
import ChangeNotification
import Glibc
import Reactor
import SystemPackage
import XenstoreFilesystem

/// The way to the inotify agent, the process that makes system calls on the mount, so that the
/// kernel raises inotify's events for changes by others (CFuse/inotify.c).
///
/// It says its number when it starts, also in the place of one that was killed, and after each
/// message that message's number, less than zero.
final class InotifyAgent {
    /// Called on the loop when the agent has made all calls of a batch.
    var onDone: () -> Void = {}
    /// Called on the loop when there is an agent, or another one.
    var onStart: () -> Void = {}
    /// Called on the loop when there will be none any more.
    var onEnd: () -> Void = {}

    private let socket: FileDescriptor
    private let loop: EventLoop
    private let device: UInt64
    /// Where it is not to make any.
    let innerMounts: InnerMounts
    private var source: SourceID?
    /// The agent's thread, as the kernel names it in requests.
    private var process: Int32?
    private var lastMessage: Int64 = 0

    init(_ socket: FileDescriptor, device: UInt64, on loop: EventLoop) {
        self.socket = socket
        self.loop = loop
        self.device = device
        innerMounts = InnerMounts(of: device)
        source = loop.add(socket, for: .readable) { [unowned self] _ in receive() }
    }

    /// Ends the agent.
    func close() {
        if let source { loop.remove(source) }
        source = nil
        _ = Glibc.close(socket.rawValue)
        innerMounts.close()
    }

    /// Whether a request of the kernel comes from the agent.
    func isCaller(_ thread: Int32) -> Bool { thread == process }

    /// Has calls made, in their order. The batch before must be done.
    func send(_ calls: [InotifyCall]) {
        var message = start()
        for call in calls {
            let size = call.path.utf8.count + 2
            if message.count + size > Int(XSFS_INOTIFY_BATCH_SIZE) {
                send(message)
                message = start()
            }
            message.append(call.operation.code)
            message += call.path.utf8
            message.append(0)
        }
        send(message)
    }

    private func start() -> [UInt8] {
        lastMessage += 1
        return withUnsafeBytes(of: device) { Array($0) }
            + withUnsafeBytes(of: lastMessage) { Array($0) }
    }

    private func send(_ message: [UInt8]) {
        // There is room: the batches before are done. Where nobody is left, that is told below.
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        _ = Glibc.send(socket.rawValue, message, message.count, flags)
    }

    private func receive() {
        var number: Int64 = 0
        while true {
            let size = MemoryLayout.size(ofValue: number)
            let count = recv(socket.rawValue, &number, size, Int32(MSG_DONTWAIT))
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            guard count == size else { return end() }
            if number > 0 {
                process = Int32(truncatingIfNeeded: number)
                onStart()
            } else if -number == lastMessage {
                onDone()
            }
        }
    }

    private func end() {
        if let source { loop.remove(source) }
        source = nil
        process = nil
        onEnd()
    }
}

extension InotifyCall.Operation {
    fileprivate var code: UInt8 {
        let code =
            switch self {
            case .create: XSFS_INOTIFY_CREATE
            case .makeDirectory: XSFS_INOTIFY_MAKE_DIRECTORY
            case .modify: XSFS_INOTIFY_MODIFY
            case .changeAttributes: XSFS_INOTIFY_ATTRIBUTES
            case .remove: XSFS_INOTIFY_REMOVE
            case .removeDirectory: XSFS_INOTIFY_REMOVE_DIRECTORY
            }
        return UInt8(code)
    }
}
