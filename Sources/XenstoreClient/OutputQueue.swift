import Reactor
import SystemPackage
import XenstoreProtocol

/// Requests on their way out: those that may be written now, and those that wait until earlier
/// ones are answered.
struct OutputQueue {
    enum Step {
        /// All that may be written is.
        case done
        case wouldBlock
        /// One request was refused by the channel itself; the others are not concerned.
        case requestFailed(RequestID, Errno)
        case failed(Errno)
    }

    private let outstandingLimit: Int
    private let payloadLimit: Int
    private var outstanding = 0
    private var ready = ByteQueue()
    private var backlog = ByteQueue()

    /// - Parameters:
    ///   - outstandingLimit: requests that may be written before the first of them is answered.
    ///   - payloadLimit: bytes of payload that a request may have.
    init(outstandingLimit: Int, payloadLimit: Int) {
        self.outstandingLimit = outstandingLimit
        self.payloadLimit = payloadLimit
    }

    /// Takes a request; false if it does not fit a message.
    mutating func append(
        _ request: Request,
        requestID: RequestID,
        transactionID: TransactionID
    ) -> Bool {
        guard outstanding < outstandingLimit else {
            return request.encode(
                requestID: requestID,
                transactionID: transactionID,
                payloadLimit: payloadLimit,
                into: &backlog.bytes
            )
        }
        let fits = request.encode(
            requestID: requestID,
            transactionID: transactionID,
            payloadLimit: payloadLimit,
            into: &ready.bytes
        )
        if fits { outstanding += 1 }
        return fits
    }

    /// Notes an answer, which makes room for a request that waits.
    ///
    /// - Returns: whether there is something to write now.
    mutating func answered() -> Bool {
        outstanding -= 1
        guard !backlog.isEmpty else { return false }
        ready.bytes.append(contentsOf: backlog.takeFirstMessage())
        outstanding += 1
        return true
    }

    /// Writes what the channel takes.
    mutating func write(to transport: Transport) -> Step {
        transport.writesSingleMessages ? writeMessages(transport) : writeStream(transport)
    }

    private mutating func writeStream(_ transport: Transport) -> Step {
        while !ready.isEmpty {
            do throws(Errno) {
                guard let count = try ready.write(ready.count, to: transport.descriptor) else {
                    return .wouldBlock
                }
                ready.drop(count)
            } catch {
                return .failed(error)
            }
        }
        return .done
    }

    private mutating func writeMessages(_ transport: Transport) -> Step {
        while let header = ready.firstHeader {
            let size = ProtocolLimits.headerSize + Int(header.length)
            do throws(Errno) {
                if let error = transport.refuses?(ready.first(size)) { throw error }
                guard let count = try ready.write(size, to: transport.descriptor) else {
                    return .wouldBlock
                }
                guard count == size else { return .failed(.ioError) }
                ready.drop(size)
            } catch {
                ready.drop(size)
                return .requestFailed(header.requestID, error)
            }
        }
        return .done
    }
}
