import CEpoll
import Glibc
import SystemPackage

/// Waits for descriptors: for a few with poll(2), for many with epoll(7).
///
/// poll(2) looks at each of them every time: 5000 make a wait 400 µs longer. epoll(7) costs the
/// same for any number, but about 1 µs more than poll(2) for two, a twentieth of a client's round
/// trip.
struct Poller: ~Copyable {
    /// Descriptors beyond which epoll(7) is used, from then on.
    private static let few = 16
    /// Descriptors that one wait with epoll(7) can tell of; more come with the next, those that
    /// wait longest first.
    private static let eventsPerWait = 256

    private var descriptors: [pollfd] = []
    private var sources: [SourceID] = []
    /// There once there were many.
    private var epoll: FileDescriptor?
    private var events: [epoll_event] = []
    private var ready: [(source: SourceID, readiness: Readiness)] = []

    deinit {
        epoll?.closeIgnoringErrors()
    }

    // MARK: Waiting

    /// Waits until a descriptor is ready, or so many milliseconds; for ever where negative.
    ///
    /// - Returns: how many are, for ``event(_:)``.
    mutating func wait(milliseconds: Int32) -> Int {
        ready.removeAll(keepingCapacity: true)
        if let epoll {
            waitForMany(epoll, milliseconds)
        } else {
            waitForFew(milliseconds)
        }
        return ready.count
    }

    /// What the last wait has found.
    func event(_ index: Int) -> (source: SourceID, readiness: Readiness) { ready[index] }

    private mutating func waitForFew(_ milliseconds: Int32) {
        let count = poll(&descriptors, nfds_t(descriptors.count), milliseconds)
        guard Self.hasFound(count) else { return }
        for index in descriptors.indices where descriptors[index].revents != 0 {
            ready.append((sources[index], Readiness(rawValue: descriptors[index].revents)))
        }
    }

    private mutating func waitForMany(_ epoll: FileDescriptor, _ milliseconds: Int32) {
        let count = epoll_wait(epoll.rawValue, &events, Int32(events.count), milliseconds)
        guard Self.hasFound(count) else { return }
        for event in events[..<Int(count)] {
            // The bits of poll(2) and of epoll(7) are the same.
            let readiness = Readiness(rawValue: Int16(truncatingIfNeeded: event.events))
            ready.append((SourceID(rawValue: event.data.u64), readiness))
        }
    }

    private static func hasFound(_ count: Int32) -> Bool {
        if count < 0, Errno.current != .interrupted {
            preconditionFailure("waiting for descriptors failed: \(Errno.current)")
        }
        return count > 0
    }

    // MARK: Descriptors

    /// - Returns: those that cannot be waited for: epoll(7) takes no file on a disk, which is
    ///   always ready.
    mutating func add(
        _ descriptor: FileDescriptor,
        for interest: Readiness,
        as source: SourceID
    ) -> [SourceID] {
        if let epoll {
            return Self.control(
                epoll,
                EPOLL_CTL_ADD,
                descriptor.rawValue,
                interest.rawValue,
                source
            )
                ? [] : [source]
        }
        descriptors.append(
            pollfd(fd: descriptor.rawValue, events: interest.rawValue, revents: 0)
        )
        sources.append(source)
        return descriptors.count > Self.few ? useEpoll() : []
    }

    /// Without a descriptor for it, it stays as it is.
    private mutating func useEpoll() -> [SourceID] {
        let number = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard number >= 0 else { return [] }
        let epoll = FileDescriptor(rawValue: number)
        var refused: [SourceID] = []
        for (entry, source) in zip(descriptors, sources)
        where !Self.control(epoll, EPOLL_CTL_ADD, entry.fd, entry.events, source) {
            refused.append(source)
        }
        self.epoll = epoll
        events = Array(repeating: epoll_event(), count: Self.eventsPerWait)
        descriptors = []
        sources = []
        return refused
    }

    mutating func update(_ descriptor: FileDescriptor, interest: Readiness, of source: SourceID) {
        if let epoll {
            _ = Self.control(epoll, EPOLL_CTL_MOD, descriptor.rawValue, interest.rawValue, source)
        } else if let index = sources.firstIndex(of: source) {
            descriptors[index].events = interest.rawValue
        }
    }

    mutating func remove(_ descriptor: FileDescriptor, _ source: SourceID) {
        if let epoll {
            _ = Self.control(epoll, EPOLL_CTL_DEL, descriptor.rawValue, 0, source)
        } else if let index = sources.firstIndex(of: source) {
            descriptors.remove(at: index)
            sources.remove(at: index)
        }
    }

    private static func control(
        _ epoll: FileDescriptor,
        _ operation: Int32,
        _ descriptor: Int32,
        _ interest: Int16,
        _ source: SourceID
    ) -> Bool {
        var event = epoll_event()
        event.events = UInt32(UInt16(bitPattern: interest))
        event.data.u64 = source.rawValue
        return epoll_ctl(epoll.rawValue, operation, descriptor, &event) == 0
    }
}
