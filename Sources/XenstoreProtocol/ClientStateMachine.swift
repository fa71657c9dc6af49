/// The client's side of one connection: numbers requests, keeps those that wait, and tells what a
/// message that came means. Pure: the driver reads, writes and resumes.
///
/// `Waiter` is whatever the driver resumes with an answer. What is called for each message can be
/// inlined: else it would look the type of the waiter up each time.
public struct ClientStateMachine<Waiter> {
    /// Requests that may be on their way at once; also what keeps a slot's number in 16 bits.
    @inlinable
    public static var maximumOutstanding: Int { 65536 }

    /// What the driver is to do with a message.
    public enum Received {
        /// Hand the answer to the one that waits for it.
        case resume(Waiter, Result<[UInt8], XenstoreError>)
        /// A transaction has begun. Where its waiter has left, nobody knows of it: end it.
        case began(TransactionID, Waiter?)
        /// Deliver the event of a watch.
        case event(WatchEvent)
        /// Nothing: the one that waited has left.
        case ignore
        /// Cut the connection: what follows cannot be trusted.
        case violation(ProtocolViolation)
    }

    @usableFromInline
    enum Slot {
        case free
        case waiting(Waiter, MessageType)
        /// The waiter left; the number stays taken until the late answer has come.
        case abandoned(MessageType)
    }

    @usableFromInline
    var slots: [Slot] = []
    /// Counts the uses of each slot, so that an answer to an earlier use is recognised.
    @usableFromInline
    var generations: [UInt16] = []
    @usableFromInline
    var freeSlots: [UInt16] = []

    /// Whether replies to WATCH and UNWATCH may come with their numbers unset.
    @usableFromInline
    let watchRepliesMayBeUnnumbered: Bool
    /// The requests for watches that have no reply yet, in their order; kept only if that matters.
    @usableFromInline
    var watchRequests: [RequestID] = []

    /// - Parameter watchRepliesMayBeUnnumbered: for the kernel's xenbus device. The kernel answers
    ///   WATCH and UNWATCH itself, in their order, and before Linux 4.11 with zeroes for numbers.
    public init(watchRepliesMayBeUnnumbered: Bool = false) {
        self.watchRepliesMayBeUnnumbered = watchRepliesMayBeUnnumbered
    }

    /// Requests that are on their way, abandoned ones included.
    @inlinable
    public var outstandingCount: Int { slots.count - freeSlots.count }

    /// Takes a request's waiter and numbers the request.
    ///
    /// - Returns: nil if ``maximumOutstanding`` requests are on their way.
    @inlinable
    public mutating func sent(_ type: MessageType, waiter: Waiter) -> RequestID? {
        let index: UInt16
        if let free = freeSlots.popLast() {
            index = free
        } else {
            guard slots.count < Self.maximumOutstanding else { return nil }
            index = UInt16(slots.count)
            slots.append(.free)
            generations.append(0)
        }
        slots[Int(index)] = .waiting(waiter, type)
        let id = requestID(index)
        if watchRepliesMayBeUnnumbered, type == .watch || type == .unwatch {
            watchRequests.append(id)
        }
        return id
    }

    /// Replaces the waiter of a request that is on its way.
    ///
    /// - Returns: false if none is, because the connection ended meanwhile.
    @inlinable
    public mutating func setWaiter(_ waiter: Waiter, for id: RequestID) -> Bool {
        guard let index = slot(of: id), case .waiting(_, let type) = slots[Int(index)] else {
            return false
        }
        slots[Int(index)] = .waiting(waiter, type)
        return true
    }

    /// Takes back the waiter of a request whose caller stops waiting, or that was never written.
    ///
    /// - Parameter wasWritten: whether an answer can still come.
    @inlinable
    public mutating func cancelled(_ id: RequestID, wasWritten: Bool = true) -> Waiter? {
        guard let index = slot(of: id) else { return nil }
        guard case .waiting(let waiter, let type) = slots[Int(index)] else {
            // Its waiter had left before the request turned out not to go.
            if case .abandoned = slots[Int(index)], !wasWritten { release(index) }
            return nil
        }
        if wasWritten {
            slots[Int(index)] = .abandoned(type)
        } else {
            release(index)
        }
        return waiter
    }

    /// Takes a message that came.
    @inlinable
    public mutating func received(_ message: Message) -> Received {
        // The kernel's xenbus device leaves the numbers in an event's header unset: the type
        // alone tells.
        if message.type == .watchEvent {
            guard let event = WatchEvent(payload: message.payload) else {
                return .violation(.malformedPayload(rawType: message.rawType))
            }
            return .event(event)
        }
        guard let index = slot(of: number(of: message)) else {
            return .violation(.unexpectedReply(requestID: message.requestID))
        }
        let expected: MessageType
        let waiter: Waiter?
        switch slots[Int(index)] {
        case .free:
            return .violation(.unexpectedReply(requestID: message.requestID))
        case .waiting(let waiting, let type):
            (expected, waiter) = (type, waiting)
        case .abandoned(let type):
            (expected, waiter) = (type, nil)
        }
        guard message.type == expected || message.type == .error else {
            return .violation(.wrongReplyType(rawType: message.rawType))
        }
        release(index)
        if message.type == .transactionStart, let id = startedTransaction(message.payload) {
            return .began(id, waiter)
        }
        guard let waiter else { return .ignore }
        return .resume(waiter, answer(message))
    }

    /// The number of the request that a message answers.
    @inlinable
    func number(of message: Message) -> RequestID {
        guard message.type == .watch || message.type == .unwatch,
            let oldest = watchRequests.first, !watchRequests.contains(message.requestID)
        else { return message.requestID }
        return oldest
    }

    /// Gives back all waiters: the connection has ended, and no answer will come.
    public mutating func closed() -> [Waiter] {
        var waiters: [Waiter] = []
        for case .waiting(let waiter, _) in slots {
            waiters.append(waiter)
        }
        self = ClientStateMachine(watchRepliesMayBeUnnumbered: watchRepliesMayBeUnnumbered)
        return waiters
    }

    @inlinable
    func requestID(_ index: UInt16) -> RequestID {
        RequestID(UInt32(generations[Int(index)]) << 16 | UInt32(index))
    }

    @inlinable
    func slot(of id: RequestID) -> UInt16? {
        let index = UInt16(truncatingIfNeeded: id.rawValue)
        guard Int(index) < slots.count, requestID(index) == id else { return nil }
        return index
    }

    @inlinable
    mutating func release(_ index: UInt16) {
        if !watchRequests.isEmpty {
            let id = requestID(index)
            watchRequests.removeAll { $0 == id }
        }
        slots[Int(index)] = .free
        generations[Int(index)] &+= 1
        freeSlots.append(index)
    }
}

/// The number of the transaction that a reply to TRANSACTION_START names.
@usableFromInline
func startedTransaction(_ payload: [UInt8]) -> TransactionID? {
    guard payload.last == 0, let number = UInt32(decimal: payload.dropLast()), number != 0
    else { return nil }
    return TransactionID(number)
}

/// What a reply means to who waits for it.
@usableFromInline
func answer(_ message: Message) -> Result<[UInt8], XenstoreError> {
    guard message.type == .error else { return .success(message.payload) }
    let name = String(decoding: message.payload.prefix { $0 != 0 }, as: UTF8.self)
    return .failure(.refused(StoreErrorCode(name: name)))
}
