import CEpoll
import SystemPackage

/// Waits for descriptors with epoll(7): what a wait costs does not depend on how many there are,
/// only on how many are ready.
struct Poller: ~Copyable {
    /// Descriptors that one wait can tell of; more come with the next, those that wait longest
    /// first.
    private static let eventsPerWait = 256

    private let descriptor: FileDescriptor
    private var events = Array(repeating: epoll_event(), count: eventsPerWait)

    /// - Throws: the error of epoll_create1(2).
    init() throws(Errno) {
        let result = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard result >= 0 else { throw Errno.current }
        descriptor = FileDescriptor(rawValue: result)
    }

    deinit {
        descriptor.closeIgnoringErrors()
    }

    /// Waits until a descriptor is ready, or so many milliseconds; for ever where negative.
    ///
    /// - Returns: how many are, for ``event(_:)``.
    mutating func wait(milliseconds: Int32) -> Int {
        let count = epoll_wait(
            descriptor.rawValue,
            &events,
            Int32(Self.eventsPerWait),
            milliseconds
        )
        if count < 0, Errno.current != .interrupted {
            preconditionFailure("epoll_wait failed: \(Errno.current)")
        }
        return max(0, Int(count))
    }

    /// What the last wait has found.
    func event(_ index: Int) -> (source: SourceID, readiness: Readiness) {
        let event = events[index]
        return (
            SourceID(rawValue: event.data.u64),
            Readiness(rawValue: Int16(truncatingIfNeeded: event.events))
        )
    }

    /// - Throws: the error of epoll_ctl(2): `notPermitted` for a file that cannot be waited for,
    ///   such as one on a disk, which is always ready.
    func add(
        _ descriptor: FileDescriptor,
        for interest: Readiness,
        as source: SourceID
    ) throws(Errno) {
        try control(EPOLL_CTL_ADD, descriptor, interest, source)
    }

    func update(_ descriptor: FileDescriptor, interest: Readiness, of source: SourceID) {
        // One that could not be added is not there.
        try? control(EPOLL_CTL_MOD, descriptor, interest, source)
    }

    func remove(_ descriptor: FileDescriptor) {
        try? control(EPOLL_CTL_DEL, descriptor, [], SourceID(rawValue: 0))
    }

    private func control(
        _ operation: Int32,
        _ other: FileDescriptor,
        _ interest: Readiness,
        _ source: SourceID
    ) throws(Errno) {
        // The bits of poll(2) and of epoll(7) are the same.
        var event = epoll_event()
        event.events = UInt32(UInt16(bitPattern: interest.rawValue))
        event.data.u64 = source.rawValue
        guard epoll_ctl(descriptor.rawValue, operation, other.rawValue, &event) == 0 else {
            throw Errno.current
        }
    }
}
