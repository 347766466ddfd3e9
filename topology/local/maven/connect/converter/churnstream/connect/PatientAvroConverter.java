// Is this record unreadable, or can the schema registry not be asked at the moment?
package churnstream.connect;

import io.apicurio.registry.rest.client.exception.NotFoundException;
import io.apicurio.registry.utils.converter.AvroConverter;
import io.apicurio.rest.client.error.ApicurioRestClientException;
import java.io.IOException;
import java.util.function.Supplier;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.errors.RetriableException;

/**
 * With errors.tolerance=all every exception of a converter sends its record to the dead letters,
 * those of a registry that is away too. Connect repeats only what it is told to repeat.
 */
public final class PatientAvroConverter extends AvroConverter<Object> {
    private static final int HEADER_BYTES = 5;

    @Override
    public SchemaAndValue toConnectData(String topic, byte[] value) {
        return patiently(value, () -> super.toConnectData(topic, value));
    }

    @Override
    public SchemaAndValue toConnectData(String topic, Headers headers, byte[] value) {
        return patiently(value, () -> super.toConnectData(topic, headers, value));
    }

    private static SchemaAndValue patiently(byte[] value, Supplier<SchemaAndValue> read) {
        if (value == null) return SchemaAndValue.NULL;
        if (value.length < HEADER_BYTES || value[0] != 0) {
            throw new DataException("no byte 00 and 4-byte schema id at the start");
        }
        try {
            SchemaAndValue record = read.get();
            refuseNul(record.value());
            return record;
        } catch (RuntimeException trouble) {
            if (isOfTheWorld(trouble)) {
                throw new RetriableException("the schema registry does not answer", trouble);
            }
            throw trouble;
        }
    }

    /** PostgreSQL has no NUL in its texts: one would end the task, again and again. */
    private static void refuseNul(Object value) {
        if (!(value instanceof Struct struct)) return;
        for (Field field : struct.schema().fields()) {
            if (struct.get(field) instanceof String text && text.indexOf('\0') >= 0) {
                throw new DataException("a NUL in " + field.name());
            }
        }
    }

    /** Bytes are in memory, so an IOException other than Avro's early end is the network's. */
    private static boolean isOfTheWorld(Throwable trouble) {
        for (Throwable at = trouble; at != null; at = at.getCause()) {
            if (at instanceof NotFoundException || at instanceof java.io.EOFException) return false;
            if (at instanceof ApicurioRestClientException || at instanceof IOException) return true;
        }
        return false;
    }
}
