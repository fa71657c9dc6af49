public import Reactor
import XenstoreProtocol
import XenstoreStore

/// Shares the time of a loop, and the connections that a process can have, among the clients of a
/// store, on all its sockets.
///
/// A guest has one share, however many connections it opens; each connection of the privileged
/// domain has its own. In a turn of the loop each share may work for ``SessionLimits/timePerTurn``,
/// and finish the request at which that is over. What is left waits for the next turn, after all
/// that has come meanwhile.
///
/// It belongs to its loop's thread.
public final class FairShare {
    /// The share of one guest, or of one privileged connection.
    final class Share {
        fileprivate var turn: UInt64 = 0
        fileprivate var spent: Duration = .zero
        /// The sessions that have requests left, in the order in which they are to go on.
        fileprivate var waiting: [Session] = []
        fileprivate(set) var connections = 0
        /// Whether it was reported that the domain has too many connections.
        fileprivate var isReported = false
    }

    private let loop: EventLoop
    private var guests: [DomainID: Share] = [:]
    /// The shares that have sessions waiting, in the order of their next work.
    private var waiting: [Share] = []
    private var isScheduled = false
    /// All connections.
    private var connections = 0
    /// The connections of guests that the descriptors of the process allow, beside those of the
    /// privileged domain.
    private let guestConnections: Int
    private var isReportedFull = false

    /// - Parameter guestConnections: how many connections all guests may have together.
    public init(on loop: EventLoop, guestConnections: Int = .max) {
        self.loop = loop
        self.guestConnections = guestConnections
    }

    // MARK: Connections

    /// The share of a new connection.
    ///
    /// - Returns: nil for a guest that has as many as it may have, or where all guests together
    ///   have.
    func join(as domain: DomainID, _ limits: SessionLimits, _ store: Store) -> Share? {
        guard domain != .privileged else {
            return Share()
        }
        let share = guests[domain] ?? Share()
        guard share.connections < limits.connectionsOfGuest else {
            let text = "domain \(domain) has \(share.connections) connections"
            report(&share.isReported, store, text)
            return nil
        }
        guard connections < guestConnections else {
            let text = "all domains together have \(connections) connections"
            report(&isReportedFull, store, text)
            return nil
        }
        share.connections += 1
        connections += 1
        guests[domain] = share
        return share
    }

    /// Gives back what ``join(as:_:_:)`` gave.
    func leave(_ share: Share, as domain: DomainID) {
        guard domain != .privileged else { return }
        share.connections -= 1
        connections -= 1
        if share.connections == 0 { guests[domain] = nil }
    }

    /// Reports once what a client cannot be told.
    private func report(_ isReported: inout Bool, _ store: Store, _ text: String) {
        guard !isReported else { return }
        isReported = true
        store.report?(text + "; more are refused")
    }

    // MARK: Time

    /// Whether a share has worked enough in this turn.
    func isSpent(_ share: Share, _ limits: SessionLimits) -> Bool {
        if share.turn != loop.turnCount {
            share.turn = loop.turnCount
            share.spent = .zero
        }
        return share.spent >= limits.timePerTurn
    }

    /// Counts time that a share has worked.
    func spend(_ time: Duration, of share: Share) {
        share.spent += time
    }

    /// Has a session go on when its turn comes.
    func wait(_ session: Session, _ share: Share) {
        if share.waiting.isEmpty { waiting.append(share) }
        share.waiting.append(session)
        schedule()
    }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        // A timer comes after the descriptors of the next turn, work for later before them.
        _ = loop.schedule(after: .zero) { [weak self] in
            guard let self else { return }
            isScheduled = false
            goOn()
            if !waiting.isEmpty { schedule() }
        }
    }

    /// Lets each share that waits work once.
    private func goOn() {
        let shares = waiting
        waiting = []
        for share in shares {
            let sessions = share.waiting
            share.waiting = []
            for (index, session) in sessions.enumerated() {
                guard !isSpent(share, session.limits) else {
                    // Before those that have just worked.
                    let hadNone = share.waiting.isEmpty
                    share.waiting.insert(contentsOf: sessions[index...], at: 0)
                    if hadNone { waiting.append(share) }
                    break
                }
                session.goOn()
            }
        }
    }
}
